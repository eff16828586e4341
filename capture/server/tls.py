"""Encryption, and who may connect: certificates from PEM files, read anew when they change."""

from __future__ import annotations

import ssl
from pathlib import Path

import grpc
import structlog

from capture.errors import ConfigurationError

_LOG = structlog.get_logger("capture.server")


class CertificateFiles:
    """The PEM files of a server.

    Parameters
    ----------
    certificate, key : Path
        The server's certificate chain, and its private key.
    client_ca : Path or None
        Certificates of those who vouch for clients; with it only clients that show a
        certificate of theirs are let in.

    Raises
    ------
    ConfigurationError
        If a file cannot be read, or the key is not that of the certificate.
    """

    def __init__(self, certificate: Path, key: Path, client_ca: Path | None) -> None:
        self._paths = tuple(path for path in (certificate, key, client_ca) if path is not None)
        self._has_client_ca = client_ca is not None
        try:
            self._contents = self._read()
        except OSError as error:
            raise ConfigurationError(f"{error.filename}: {error.strerror}") from error
        if problem := self._problem():
            raise ConfigurationError(f"{certificate} and {key} cannot be used: {problem}")

    def credentials(self) -> grpc.ServerCredentials:
        """Return credentials that follow the files: each new connection sees the latest."""
        return grpc.dynamic_ssl_server_credentials(
            self._configuration(),
            self._changed,  # type: ignore[arg-type]  # the stubs forget that it may return None
            require_client_authentication=self._has_client_ca,
        )

    def _changed(self) -> grpc.ServerCertificateConfiguration | None:
        """Return the configuration if it changed since the last connection."""
        try:
            contents = self._read()
        except OSError as error:  # half-way through a renewal: the old ones are still good
            _LOG.warning("certificates cannot be read", cause=error.strerror)
            return None
        if contents == self._contents:
            return None
        self._contents = contents
        if problem := self._problem():
            _LOG.warning("certificates do not fit, those before stay in use", cause=problem)
            return None
        _LOG.info("certificates have changed")
        return self._configuration()

    def _problem(self) -> str:
        """Say why the files cannot be used together; empty when they can."""
        certificate, key, *client_ca = self._paths
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # With a password, or OpenSSL would ask the terminal for one.
            context.load_cert_chain(certificate, key, password="")
            for path in client_ca:
                context.load_verify_locations(path)
        except OSError as error:  # of which SSLError is one
            return error.strerror or type(error).__name__
        return ""

    def _read(self) -> tuple[bytes, ...]:
        return tuple(path.read_bytes() for path in self._paths)

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        certificate, key, *client_ca = self._contents
        return grpc.ssl_server_certificate_configuration(
            [(key, certificate)], root_certificates=client_ca[0] if client_ca else None
        )
