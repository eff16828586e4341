"""Addresses of servers: which of them stay on this machine."""

from __future__ import annotations

import ipaddress


def is_loopback(host: str) -> bool:
    """Tell whether nobody else can listen in to this host: ``localhost``, 127.0.0.0/8, ::1."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bracketed(host: str) -> str:
    """Write a host so that a port can follow it."""
    return f"[{host}]" if ":" in host else host


def host_of(target: str) -> str:
    """Return the host of ``host:port``."""
    host = target.rpartition(":")[0] or target
    return host.removeprefix("[").removesuffix("]")
