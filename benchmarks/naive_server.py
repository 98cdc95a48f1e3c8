"""The peer: the same request read the short way, whole in memory, with nothing done about it.

    python -m benchmarks.naive_server

What FastAPI's own tutorial would have one write; it decodes no sound and keeps no record.
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
    """Read the recording and say how long it is."""
    body = json.loads(await request.body())
    return {"text": str(len(base64.b64decode(body["input_audio"]["data"], validate=True)))}


if __name__ == "__main__":
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listening.getsockname()[1]} none", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run([listening])
