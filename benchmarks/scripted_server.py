"""The production server with a provider that responds immediately or after a delay.

    python -m benchmarks.scripted_server FOLDER DELAY_S

Prints its address and a key on one line, and serves until it receives a signal.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

from tests.scripted import Scripted

from voxgate.api.server import ApiServer
from voxgate.models.catalogue import ModelSpec
from voxgate.pipeline.session import Session
from voxgate.settings import Settings

MODEL = "scripted/one"


async def serve(folder: Path, delay_s: float) -> None:
    """Serve from this folder, with so many seconds for each window."""
    scripted = Scripted(
        concurrency=1000, gate=lambda _: asyncio.sleep(delay_s) if delay_s else None
    )
    spec = ModelSpec(
        name=MODEL,
        title="Scripted: One",
        released=date(2026, 1, 1),
        summary="Answers at once.",
        licence="Apache-2.0",
        capabilities=scripted.capabilities,
        loader="",
        distributions=(),
    )
    server = ApiServer(
        replace(
            Settings(),
            home=folder / "home",
            spool_dir=folder / "spool",
            max_flights=1000,
            max_flights_per_key=1000,
            filler_after_s=1000.0,  # white space would be sent before the timing is complete
        ),
        host="127.0.0.1",
        port=0,
        session=lambda s: Session(s, models={MODEL: spec}, start=lambda _spec, _s: scripted),
    )
    print(server.url, end=" ", flush=True)
    await server.run(first_key=lambda key: print(key, flush=True))


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), float(sys.argv[2])))
