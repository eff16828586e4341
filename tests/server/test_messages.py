"""Our dataclasses and their messages: nothing is lost on the way there and back."""

from __future__ import annotations

import types
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.assessment import Assessment
from capture.errors import (
    EmptyImageError,
    ImageTooLargeError,
    InvalidFrameError,
    SessionError,
)
from capture.gates.stability import Stability
from capture.images import CaptureSettings, EncodedImage
from capture.measure.gyro import GyroSample
from capture.session import PreviewFrame, SessionConfig
from capture.v1 import assessment_pb2, image_pb2, session_pb2
from capture.wire import enums
from capture.wire.assessments import assessment_from_wire, assessment_to_wire
from capture.wire.images import MAX_IMAGE_BYTES, image_from_wire, image_to_wire
from capture.wire.sessions import (
    config_from_wire,
    config_to_wire,
    frame_from_wire,
    frame_to_wire,
    sample_from_wire,
    sample_to_wire,
    stability_from_wire,
    stability_to_wire,
)

LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    int: st.integers(0, 2**32 - 1),
    float: st.floats(0, 1e6),
    str: st.text(max_size=12),
    bytes: st.binary(min_size=1, max_size=12),
    datetime: st.datetimes(),
    type(None): st.none(),
    memoryview: st.nothing(),
}


def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Return values of a type as its hints describe it."""
    if kind in LEAVES:
        return LEAVES[kind]
    if get_origin(kind) in (Union, types.UnionType):
        return st.one_of(*(any_of(choice) for choice in get_args(kind)))
    if get_origin(kind) is tuple:
        return st.lists(any_of(get_args(kind)[0]), max_size=2).map(tuple)
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        parts = {part.name: any_of(hints[part.name]) for part in fields(kind) if part.init}
        return st.fixed_dictionaries(parts).map(lambda values: kind(**values))
    assert issubclass(kind, Enum)
    return st.sampled_from(kind)


def sendable(assessment: Assessment) -> Assessment:
    """Take away what is not on the wire, or what is said there in another place."""
    blur = replace(assessment.measures.blur, tiles=())
    prediction = assessment.prediction
    return replace(
        assessment,
        measures=replace(assessment.measures, blur=blur, perceptual_hash=None),
        settings=CaptureSettings(),
        prediction=prediction and replace(prediction, duration_ms=assessment.times.classify_ms),
    )


@given(any_of(Assessment).map(sendable))
def test_an_assessment_comes_back_as_it_went(assessment: Assessment) -> None:
    """What the wire is drawn for survives it."""
    message = assessment_to_wire(assessment, queue_ms=2.5)
    read = assessment_pb2.Assessment.FromString(message.SerializeToString())
    assert assessment_from_wire(read) == assessment
    assert read.times.queue_ms == 2.5
    assert read.verdict == enums.VERDICTS.to_wire(assessment.verdict)


@given(any_of(Stability))
def test_a_stability_update_comes_back_as_it_went(stability: Stability) -> None:
    """Every field survives the wire, and unknown stays unknown."""
    assert stability_from_wire(stability_to_wire(stability)) == stability


@given(any_of(EncodedImage), any_of(PreviewFrame), any_of(GyroSample), any_of(SessionConfig))
def test_what_a_camera_sends_comes_back_as_it_went(
    image: EncodedImage, frame: PreviewFrame, sample: GyroSample, config: SessionConfig
) -> None:
    """Pictures, previews, motion samples and configurations survive the wire."""
    assert image_from_wire(image_to_wire(image)) == image
    assert frame_from_wire(frame_to_wire(frame)) == frame
    assert sample_from_wire(sample_to_wire(sample)) == sample
    assert config_from_wire(config_to_wire(config)) == config


@pytest.mark.parametrize(
    "table",
    [table for table in vars(enums).values() if isinstance(table, enums.EnumTable)],
    ids=lambda table: table.members.__name__,
)
def test_every_value_of_an_enum_has_its_counterpart(table: enums.EnumTable[Any]) -> None:
    """Each member goes to its own value and back; no value of the wire is left over."""
    values = [table.to_wire(member) for member in table.members]
    assert [table.require(value) for value in values] == list(table.members)
    if table is not enums.MISSING_EVIDENCE:  # it shares the reason codes of the wire
        assert {*values, 0} == set(table.wire.values())


def test_an_unknown_enum_value_is_refused_by_name() -> None:
    """A value from a newer version says which enum it is none of."""
    with pytest.raises(ValueError, match="no Verdict has the value 77"):
        enums.VERDICTS.require(77)


def test_an_image_without_bytes_is_empty() -> None:
    """No bytes is an error of its own."""
    with pytest.raises(EmptyImageError):
        image_from_wire(image_pb2.Image())


def test_an_image_may_have_32_mib_and_not_a_byte_more() -> None:
    """The limit is met exactly."""
    data = bytes(MAX_IMAGE_BYTES)
    assert len(image_from_wire(image_pb2.Image(data=data)).data) == 32 * 1024 * 1024
    with pytest.raises(ImageTooLargeError, match="33554433 bytes"):
        image_from_wire(image_pb2.Image(data=data + b"\0"))


def test_an_unknown_encoding_is_an_invalid_frame() -> None:
    """An encoding from a newer client is refused, not guessed."""
    message = image_pb2.Image.FromString(image_pb2.Image(data=b"x").SerializeToString() + b"\x10M")
    with pytest.raises(InvalidFrameError, match="77"):
        image_from_wire(message)


def test_an_unknown_convergence_state_is_refused() -> None:
    """A state from a newer client is refused, not guessed."""
    message = session_pb2.Preview.FromString(b"\x28\x4d")
    with pytest.raises(SessionError, match="77"):
        frame_from_wire(message)


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_configuration_with_impossible_numbers_is_refused(value: float) -> None:
    """Negative and non-finite numbers are named."""
    with pytest.raises(SessionError, match="focal_length_px"):
        config_from_wire(session_pb2.SessionConfig(focal_length_px=value))
