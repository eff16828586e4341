"""Errors and what a caller is told of them."""

from __future__ import annotations

import inspect

import grpc
import pytest

from capture import errors
from capture.jobs import Unjudged
from capture.server.status import STATUS_TABLE, Refusal, refusal_of
from inference import errors as inference_errors

ERROR_CLASSES = [
    value
    for module in (errors, inference_errors)
    for _, value in inspect.getmembers(module, inspect.isclass)
    if issubclass(value, Exception)
]


@pytest.mark.parametrize("error_class", ERROR_CLASSES)
def test_every_error_class_has_a_row(error_class: type[Exception]) -> None:
    """A new class of errors has to say what its callers are told."""
    assert error_class in STATUS_TABLE


def test_codes_of_rows_that_tell_are_unique() -> None:
    """A code in the metadata names one cause."""
    codes = [row.code for row in STATUS_TABLE.values() if row.tells]
    assert len(codes) == len(set(codes))


def test_a_bad_picture_is_the_callers_fault_and_says_why() -> None:
    """INVALID_ARGUMENT, with the code in the metadata and the cause in words."""
    refusal = refusal_of(errors.TruncatedImageError("the data ends after 312 of 4096 rows"))
    assert refusal.row.status is grpc.StatusCode.INVALID_ARGUMENT
    assert refusal.message == "the data ends after 312 of 4096 rows"
    assert dict(refusal.metadata()) == {"smart-capture-error-code": "TRUNCATED"}


def test_what_a_worker_could_not_judge_is_told_like_the_error_itself() -> None:
    """An error that crossed a pipe as data reads the same row."""
    raised = refusal_of(errors.AnimatedImageError("3 frames"))
    assert refusal_of(Unjudged("ANIMATED", "3 frames")) == raised


def test_overload_says_when_to_come_back() -> None:
    """RESOURCE_EXHAUSTED with a pushback that gRPC clients obey."""
    refusal = refusal_of(errors.OverloadedError("full", retry_after_ms=120))
    assert refusal.row.status is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert ("grpc-retry-pushback-ms", "120") in list(refusal.metadata())
    message = refusal.to_wire()
    assert (message.code, message.retryable, message.retry_after_ms) == ("OVERLOADED", True, 120)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("/srv/secret/key.pem"),
        inference_errors.RemoteError("ZeroDivisionError", "/srv/secret/key.pem"),
        inference_errors.ModelError("/srv/secret/key.pem"),
        Unjudged("NEVER_HEARD_OF", "/srv/secret/key.pem"),
        Unjudged("UNREADABLE", "/srv/secret/key.pem"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_our_own_failures_keep_their_text(error: Exception | Unjudged) -> None:
    """Paths and internals stay in the log."""
    refusal = refusal_of(error)
    assert isinstance(refusal, Refusal)
    assert "secret" not in refusal.message
    assert refusal.row.status is grpc.StatusCode.INTERNAL
