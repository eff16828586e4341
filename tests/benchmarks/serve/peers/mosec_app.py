"""Mosec: its Rust front and two worker processes."""

from __future__ import annotations

from mosec import Server, Worker

from tests.benchmarks.serve.peers.work import Work


class Judge(Worker):
    """One worker process."""

    def __init__(self) -> None:
        super().__init__()
        self._work = Work()

    def deserialize(self, data: bytes) -> bytes:
        """Take the body as it is."""
        return data

    def forward(self, data: bytes) -> str:
        """Judge one picture."""
        return self._work(data)


if __name__ == "__main__":
    server = Server()
    server.append_worker(Judge, num=2)
    server.run()
