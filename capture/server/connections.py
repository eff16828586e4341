"""What connections may do, and how they are encrypted."""

from __future__ import annotations

import grpc

from capture.errors import ConfigurationError
from capture.server.address import is_loopback
from capture.server.tls import CertificateFiles
from capture.settings import Settings

_MAX_MESSAGE_BYTES = 34 << 20
"""Room for a picture of 32 MiB and the rest of its message."""

_OPTIONS = (
    ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", 4 << 20),
    ("grpc.max_metadata_size", 16 << 10),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    # Connections that do nothing: never greeting, or long without a call.
    ("grpc.server_handshake_timeout_ms", 10_000),
    ("grpc.max_connection_idle_ms", 600_000),
    ("grpc.max_allowed_incoming_connections", 4096),
    # One connection that opens and cancels calls by the thousand: gRPC would refuse those of
    # others, as CANCELLED, when as many wait to be looked at. Headers that refer to each other
    # take some 2 MB of a call until then.
    ("grpc.max_concurrent_streams", 512),
    ("grpc.server.max_pending_requests", 16_384),
    ("grpc.server.max_pending_requests_hard_limit", 16_384),
    # Two servers on one port: how a new one takes over from an old one.
    ("grpc.so_reuseport", 1),
)
"""Windows are left to gRPC's probing: fixed ones of 64 KiB spare the front a tenth of what a
refused call costs, and make of the 85 ms of a picture over a line of 50 ms there and back 174."""


def options_of(settings: Settings) -> tuple[tuple[str, int], ...]:
    """Return gRPC's options for the server."""
    return (*_OPTIONS, *_keepalive(settings.keepalive_s))


def credentials_of(settings: Settings) -> grpc.ServerCredentials | None:
    """Return what to encrypt with; None for plaintext, where that is allowed.

    Raises
    ------
    ConfigurationError
        If half of it is missing, or plaintext would be spoken beyond this machine.
    """
    if settings.tls_certificate is not None and settings.tls_key is not None:
        return CertificateFiles(
            settings.tls_certificate, settings.tls_key, settings.tls_client_ca
        ).credentials()
    if settings.tls_certificate or settings.tls_key or settings.tls_client_ca:
        raise ConfigurationError("TLS needs both a certificate and its key")
    if not settings.insecure and not is_loopback(settings.host):
        raise ConfigurationError(
            f"{settings.host} is reached from outside and this server speaks plaintext; "
            "give a TLS certificate, or --insecure if that is meant"
        )
    return None


def _keepalive(interval_s: float) -> tuple[tuple[str, int], ...]:
    """Ask, since a phone that goes out of range says nothing, and its session has to end.

    gRPC waits for as long as ``ping_timeout`` says and never looks at ``keepalive_timeout``
    (grpc/grpc#39239). An answer stands in line behind a still that is sent over a bad line.
    """
    interval_ms = round(1e3 * interval_s)
    patience_ms = 2 * interval_ms
    return (
        ("grpc.keepalive_time_ms", interval_ms),
        ("grpc.keepalive_timeout_ms", patience_ms),
        ("grpc.http2.ping_timeout_ms", patience_ms),
    )
