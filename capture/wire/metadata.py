"""What stands beside the messages: keys of the metadata of a call, sent and trailing."""

from __future__ import annotations

from typing import Final

TOKEN_KEY: Final = "authorization"
"""Sent: ``Bearer`` and the caller's token."""

REQUEST_ID_KEY: Final = "smart-capture-request-id"
"""Trailing: names the call in the server's log."""

ERROR_CODE_KEY: Final = "smart-capture-error-code"
"""Trailing: the stable name of the error that ended the call."""

PUSHBACK_KEY: Final = "grpc-retry-pushback-ms"
"""Trailing: when to come back, in milliseconds; negative for never (gRPC proposal A6)."""
