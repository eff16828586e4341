"""A real web server for tests: with ranges or without, and whole or broken off."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class WebServer(ThreadingHTTPServer):
    """Serves a folder.

    `breaks_after` maps names to the bytes after which the connection is cut, `break_count` to
    how often it is if not always; `sent` are the names of the files that were asked for.
    With `looks_together`, a HEAD is answered when that many wait for it at once.
    """

    def __init__(self, folder: Path, *, ranges: bool) -> None:
        self.ranges = ranges
        self.breaks_after: dict[str, int] = {}
        self.break_count: dict[str, int] = {}
        self.sent: list[str] = []
        self.looks_together: threading.Barrier | None = None
        super().__init__(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class _Handler(SimpleHTTPRequestHandler):
    server: WebServer

    def do_GET(self) -> None:
        file = Path(self.translate_path(self.path))
        if not file.is_file():
            super().do_GET()
            return
        self.server.sent.append(file.name)
        data = file.read_bytes()
        start, end = 0, len(data)
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if asked and self.server.ranges:
            start, end = int(asked[1]), min(end, int(asked[2]) + 1)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(end - start))
        self.send_header("Last-Modified", self.date_time_string(int(file.stat().st_mtime)))
        self.end_headers()
        limit = self.server.breaks_after.get(file.name, end)
        left = self.server.break_count.get(file.name)
        if limit < end and left is not None:
            self.server.break_count[file.name] = max(left - 1, 0)
            limit = limit if left else end
        self.wfile.write(data[start : min(end, limit)])

    def do_HEAD(self) -> None:
        if self.server.looks_together is not None:
            self.server.looks_together.wait(timeout=30)
        super().do_HEAD()

    def log_message(self, *words: object) -> None:
        del words


@contextmanager
def web_server(folder: Path, *, ranges: bool = True) -> Iterator[WebServer]:
    """Serve a folder on any free port of this machine."""
    with WebServer(folder, ranges=ranges) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
