"""The service config that every client may use: what is tried again, and how often."""

from __future__ import annotations

import json
from importlib import resources

from capture.server.status import STATUS_TABLE
from capture.v1 import smart_capture_pb2

CONFIG = json.loads((resources.files("capture.client") / "service_config.json").read_text())


def test_it_names_calls_that_there_are() -> None:
    """A call that was renamed would silently be tried no more."""
    services = smart_capture_pb2.DESCRIPTOR.services_by_name
    names = [name for entry in CONFIG["methodConfig"] for name in entry["name"]]
    assert names
    for name in names:
        package, _, service = name["service"].rpartition(".")
        assert package == smart_capture_pb2.DESCRIPTOR.package
        assert name["method"] in services[service].methods_by_name


def test_it_tries_again_what_the_server_calls_temporary() -> None:
    """Codes of refusals for the moment, and none that the same picture would meet again."""
    (entry,) = CONFIG["methodConfig"]
    codes = set(entry["retryPolicy"]["retryableStatusCodes"])
    lasting = {row.status.name for row in STATUS_TABLE.values() if not row.is_retryable}
    temporary = {row.status.name for row in STATUS_TABLE.values() if row.is_retryable}
    # A server that goes down cancels calls that it has not taken; it says so of no other.
    assert codes - {"CANCELLED"} <= temporary
    assert not codes & lasting
