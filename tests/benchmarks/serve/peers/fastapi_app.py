"""FastAPI: the work in the thread pool, one picture at a time in each uvicorn worker."""

from __future__ import annotations

from anyio import CapacityLimiter, to_thread
from fastapi import FastAPI, Request

from tests.benchmarks.serve.peers.work import Work

app = FastAPI()
_work = Work()
_one_at_a_time = CapacityLimiter(1)


@app.post("/inference")
async def inference(request: Request) -> str:
    """Judge the picture in the body."""
    return await to_thread.run_sync(_work, await request.body(), limiter=_one_at_a_time)


@app.get("/")
async def health() -> str:
    """Say that this worker lives."""
    return "SERVING"
