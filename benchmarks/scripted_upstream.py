"""A transcription server in OpenAI's dialect that answers after a fixed time, for gateways.

    python -m benchmarks.scripted_upstream DELAY_S

It prints its address. It takes the whole recording, and does not read it.
"""

from __future__ import annotations

import asyncio
import socket
import sys

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request  # noqa: TC002 (Starlette evaluates it)
from starlette.responses import JSONResponse
from starlette.routing import Route

DELAY_S = float(sys.argv[1]) if __name__ == "__main__" else 0.0


async def transcribe(request: Request) -> JSONResponse:
    """Return the same words for every recording."""
    async with request.form():
        await asyncio.sleep(DELAY_S)
    return JSONResponse({"text": "The words."})


if __name__ == "__main__":
    app = Starlette(routes=[Route("/v1/audio/transcriptions", transcribe, methods=["POST"])])
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # else asyncio leaves TCP_NODELAY off
    listener.bind(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]} none", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run([listener])
