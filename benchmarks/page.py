"""How long the pages take, and how large they are: `python -m benchmarks.page`.

The list of models with 1000 of them at ten providers, and the page of one of them whose ledger has
a year of activity. Times are medians of whole requests over the loopback: on the wall, what a
browser waits for, and of the processor, also the client's, where other programs use the cores, too.
Sizes are the bytes of all responses of a page, compressed as a browser asks for them.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import httpx2
from sqlalchemy import create_engine, insert
from tests.api.serving import serving

from benchmarks.table import Row, show
from voxgate.ledger.activity_query import today
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.ledger import Ledger
from voxgate.ledger.schema import usage_days_table, usage_histograms_table
from voxgate.pipeline.session import Session
from voxgate.prices import ListedPrice, Price, PriceList
from voxgate.upstreams import Endpoint, EndpointList, Upstream
from voxgate.web.mount import add_pages

MODELS, PROVIDERS, DAYS, APPS = 1000, 10, 365, 5
ROUNDS = 9
BUDGET_MS, BUDGET_BYTES = 100, 100_000
MODEL = "author-0/model-0"
PATHS = (
    "/",
    "/?q=model-77&sort=price",
    f"/models/{MODEL}",
    f"/models/{MODEL}?period=1y",
    f"/models/{MODEL}/api",
)


def listed() -> tuple[EndpointList, PriceList]:
    """Return 1000 models with a price each."""
    upstreams = [
        Upstream(f"provider-{n}", "compatible", f"https://{n}.example/v1") for n in range(PROVIDERS)
    ]
    endpoints = [
        Endpoint(f"author-{n % 40}/model-{n}", upstreams[n % PROVIDERS], f"model-{n}")
        for n in range(MODELS)
    ]
    prices = [
        ListedPrice(each.model, Price(Decimal(n % 50) / 100, "hour"))
        for n, each in enumerate(endpoints)
    ]
    return EndpointList(tuple(upstreams), tuple(endpoints)), PriceList(tuple(prices))


def add_year(ledger: Path) -> None:
    """Add a year of one model's use, a row for each day and app."""
    days = [today() - timedelta(days=n) for n in range(DAYS)]
    place = {"key_hash": "", "model": MODEL, "provider": "provider-0"}
    sums = {
        "requests": 100,
        "failures": 1,
        "audio_samples": 16_000 * 6000,
        "tokens": 0,
        "nanodollars": 10**9,
        "latency_ms": 100_000,
        "generation_time_ms": 90_000,
    }
    rows = [{**place, **sums, "day": day, "app": f"app-{n}"} for day in days for n in range(APPS)]
    counts = {f"{kind}{at}": at for kind in ("l", "r") for at in range(20, 50)}
    speeds = [
        {**place, "scope": scope, "start": day, "app": app, "counts": counts}
        for day in days
        for scope, app in (("endpoint", ""), ("day", "app-0"))
    ]
    with create_engine(f"sqlite:///{ledger}").begin() as connection:
        connection.execute(insert(usage_days_table), rows)
        connection.execute(insert(usage_histograms_table), speeds)


async def measure(client: httpx2.AsyncClient, path: str) -> list[Row]:
    """Return the rows of the table for a page."""
    wall_ms, processor_ms = [], []
    for _ in range(ROUNDS):
        began, began_processor = perf_counter(), process_time()
        response = await client.get(path)
        wall_ms.append((perf_counter() - began) * 1000)
        processor_ms.append((process_time() - began_processor) * 1000)
        response.raise_for_status()
    parts = {path, *re.findall(r'"(/static/[^"]+)"', response.text)}
    size = 0
    for part in parts:
        async with client.stream("GET", part) as answer:
            size += sum([len(chunk) async for chunk in answer.aiter_raw()])
    goal, most = f"{BUDGET_MS} ms", f"{BUDGET_BYTES // 1000} kB"
    return [
        Row(f"{path}: on the wall", f"{median(wall_ms):.1f} ms", goal=goal),
        Row(f"{path}: of the processor", f"{median(processor_ms):.1f} ms", goal=goal),
        Row(f"{path}: with all it loads", f"{size / 1000:.1f} kB", goal=most),
    ]


async def main() -> None:
    """Print a line for each page."""
    endpoints, prices = listed()
    with tempfile.TemporaryDirectory(prefix="voxgate-bench-") as folder:
        home = Path(folder) / "home"
        home.mkdir()
        async with await Ledger.open(home / LEDGER_FILE):
            add_year(home / LEDGER_FILE)
        async with serving(
            Path(folder),
            session=Session,
            pages=add_pages,
            auth="off",
            endpoints=endpoints,
            prices=prices,
        ) as server:
            headers = {"Accept": "text/html", "Accept-Encoding": "gzip"}
            async with httpx2.AsyncClient(base_url=server.url, headers=headers) as client:
                show([row for path in PATHS for row in await measure(client, path)])


if __name__ == "__main__":
    asyncio.run(main())
