"""The page on which Prometheus reads the metrics of a server."""

from __future__ import annotations

import socket
import threading
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app

from capture.errors import ConfigurationError
from capture.server.address import bracketed


class MetricsPage:
    """Answers whoever asks, in threads of its own, between `start` and `close`.

    Parameters
    ----------
    registry : CollectorRegistry
        What is told.
    host : str
        Where to listen.
    port : int
        0 for one that is free.
    """

    def __init__(self, registry: CollectorRegistry, host: str, port: int) -> None:
        self._registry = registry
        self._address = host, port
        self._server: WSGIServer | None = None

    @property
    def port(self) -> int | None:
        """Where it listens; None while it does not."""
        return None if self._server is None else self._server.server_port

    def start(self) -> None:
        """Listen.

        Raises
        ------
        ConfigurationError
            If it cannot.
        """
        host, port = self._address
        app = make_wsgi_app(self._registry)
        try:
            self._server = make_server(host, port, app, _Server, _SilentHandler)
        except OSError as error:
            raise ConfigurationError(
                f"cannot tell metrics on {bracketed(host)}:{port}: {error.strerror}"
            ) from error
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def close(self) -> None:
        """Answer no more; takes up to half a second."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    allow_reuse_port = True  # as gRPC's: the server whose place this one takes still has it

    def __init__(self, address: tuple[str, int], handler: type[WSGIRequestHandler]) -> None:
        self.address_family = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0][0]
        super().__init__(address, handler)


class _SilentHandler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Write no line for each look."""
