"""The production server with a provider that responds immediately or after a delay.

    python -m benchmarks.scripted_server FOLDER DELAY_S [DATABASE_URL | none]

Prints its address and a key on one line, and serves until it receives a signal. With `none`, keys,
beginnings and ends are not read and written: what is left of a request's time is not the ledger's.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

from tests.scripted import Scripted

from voxgate.api.server import ApiServer
from voxgate.ledger.generations import Generations
from voxgate.ledger.key import Key
from voxgate.ledger.keys import Keys
from voxgate.models.catalogue import ModelSpec
from voxgate.pipeline.session import Session
from voxgate.settings import Settings

MODEL = "scripted/one"
NO_LEDGER = "none"


async def serve(folder: Path, delay_s: float, database_url: str = "") -> None:
    """Serve from this folder, with so many seconds for each window."""
    if database_url == NO_LEDGER:
        leave_out_the_ledger()
        database_url = ""
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
            database_url=database_url,
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


def leave_out_the_ledger() -> None:
    """Remember the key of the first request, and write nothing, in this process."""
    authenticate, known = Keys.authenticate, dict[str, Key | None]()

    async def remember(keys: Keys, secret: str) -> Key | None:
        if secret not in known:
            known[secret] = await authenticate(keys, secret)
        return known[secret]

    async def begin(*_: object) -> bool:
        return True

    async def finish(*_: object) -> None:
        pass

    Keys.authenticate = remember  # type: ignore[assignment, method-assign]
    Generations.begin = begin  # type: ignore[assignment, method-assign]
    Generations.finish = finish  # type: ignore[assignment, method-assign]


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), float(sys.argv[2]), *sys.argv[3:]))
