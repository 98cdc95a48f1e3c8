"""`/owner`: what the server does now: engines, recordings, memory and disks; loads and unloads."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse

from voxgate.api.operations import server_state
from voxgate.api.server_state import BatchSteps
from voxgate.errors import EngineError, VoxgateError
from voxgate.models.catalogue import DEFAULT_MODEL
from voxgate.providers.inspection import inspect_memory, unload_engine
from voxgate.web.signing.forms import read_form
from voxgate.web.signing.visitor import require_owner
from voxgate.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from voxgate.api.gateway import Gateway
    from voxgate.api.server_state import ServerState
    from voxgate.providers.inspection import DeviceMemory, LoadedEngine

PATH = "/owner"
UNLOAD_S = 3.0
"""How long a page waits for the end of an engine. One that works ends when its windows are done."""


@dataclass(frozen=True, slots=True)
class Space:
    """Memory or a disk, in bytes."""

    name: str
    free: int
    total: int

    @property
    def share(self) -> float:
        """The share that is used."""
        return 1 - self.free / self.total if self.total else 1.0

    @property
    def scarce(self) -> bool:
        """Whether less than a twentieth is free."""
        return self.share > 0.95


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine in memory, as a page shows it."""

    loaded: LoadedEngine
    waiting: int  # windows that wait for its model in this server
    batch: float | None  # windows in a step, on average; None where it made none


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording under way."""

    id: str
    key: str | None  # its name
    seconds: float
    segments: int


async def overview(request: Request) -> Response:
    """Engines, recordings, memory and disks at this moment."""
    site, visitor = Site.of(request), await require_owner(request)
    gateway = site.gateway
    state, found = await asyncio.gather(server_state(gateway), asyncio.to_thread(inspect_memory))
    return site.renderer.page(
        request,
        "owner/server.html",
        visitor,
        state=state,
        engines=_engines(state),
        waiting={name: count for name, count in state.waiting.items() if count},
        recordings=await _recordings(gateway),
        spaces=_spaces(found, state),
        loading=gateway.loads.running,
        failures=gateway.loads.failures,
        ending=request.query_params.get("ending", ""),
        suggested=DEFAULT_MODEL,
    )


async def load(request: Request) -> Response:
    """Begin to load a model."""
    visitor = await require_owner(request)
    fields = await read_form(request, visitor)
    await Site.of(request).gateway.loads.begin(fields.get("model", "").strip())
    return RedirectResponse(PATH, 303)


async def unload(request: Request) -> Response:
    """End an engine, once its windows are done. The next request for its model starts another."""
    site, visitor = Site.of(request), await require_owner(request)
    fields = await read_form(request, visitor)
    state = await server_state(site.gateway)
    pid = fields.get("pid", "")
    records = [each.record for each in state.engines if str(each.record.pid) == pid]
    if not records:
        raise VoxgateError(
            "This engine is no longer in memory. Load the page again.", code="not_found"
        )
    try:
        await unload_engine(records[0], UNLOAD_S)
    except EngineError:  # it has windows in progress, and ends when they are done
        return RedirectResponse(f"{PATH}?ending={records[0].pid}", 303)
    return RedirectResponse(PATH, 303)


def _engines(state: ServerState) -> list[Engine]:
    found = []
    for each in state.engines:
        model = each.record.model
        steps = state.steps.get(model, BatchSteps())
        batch = steps.windows / steps.steps if steps.steps else None
        found.append(Engine(each, state.waiting.get(model, 0), batch))
    return found


async def _recordings(gateway: Gateway) -> list[Recording]:
    jobs = gateway.jobs.unfinished
    names = {key.hash: key.name for key in await gateway.ledger.keys.all()} if jobs else {}
    found = [
        Recording(job.id, names.get(job.owner or ""), job.seconds, len(job.pieces)) for job in jobs
    ]
    return sorted(found, key=lambda each: -each.seconds)


def _spaces(memory: list[DeviceMemory], state: ServerState) -> list[Space]:
    """Return memory, then disks; two folders on one disk are named both."""
    found = [Space(f"Memory: {each.device}", each.free, each.total) for each in memory]
    names = {"home": "Disk of the home", "spool_dir": "Disk of decoded sound"}
    return found + [
        Space(names.get(folder, folder), disk.free, disk.size)
        for folder, disk in state.disks.items()
    ]


PAGES = (
    ("GET", PATH, overview),
    ("POST", PATH + "/load", load),
    ("POST", PATH + "/unload", unload),
)
