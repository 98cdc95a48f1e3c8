"""The peer of `benchmarks.server`: it reads the same request into memory and does nothing else.

    python -m benchmarks.naive_server

It is written as in FastAPI's tutorial. It decodes no sound and keeps no record.
"""

from __future__ import annotations

import base64
import json
import socket

import uvicorn
from fastapi import FastAPI, Request

app = FastAPI()


@app.post("/api/v1/audio/transcriptions")
async def transcribe(request: Request) -> dict[str, str]:
    """Return the size of the recording, in bytes."""
    body = json.loads(await request.body())
    return {"text": str(len(base64.b64decode(body["input_audio"]["data"], validate=True)))}


if __name__ == "__main__":
    listener = socket.socket(proto=socket.IPPROTO_TCP)  # else asyncio leaves TCP_NODELAY off
    listener.bind(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]} none", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run([listener])
