"""`/owner/models`: the models on this machine; pulls one from the hub, loads and removes them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import JSONResponse, RedirectResponse

from voxgate.errors import RegistryError, UsageError, VoxgateError
from voxgate.models.catalogue import why_not_installed
from voxgate.models.running import RUN_FOLDER, running_engines
from voxgate.models.store.registry import Registry
from voxgate.web.signing.forms import read_form
from voxgate.web.signing.visitor import require_owner
from voxgate.web.site import Site

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from voxgate.api.model_pull import PullState
    from voxgate.models.catalogue import ModelSpec
    from voxgate.models.store.record import ModelRecord
    from voxgate.settings import Settings
    from voxgate.web.signing.visitor import Visitor

PATH, PULL, REMOVE = "/owner/models", "/owner/pull", "/owner/models/remove"
LONGEST_NAME = 256


@dataclass(frozen=True, slots=True)
class Installed:
    """One model on this machine, or a record of one that cannot be read."""

    name: str
    record: ModelRecord | None = None
    fault: str = ""  # why it cannot be used
    in_memory: bool = False
    packaged: bool = False  # its weights are in packages: removing it frees the home's copy alone


async def listing(request: Request) -> Response:
    """The models on this machine, and the pull that goes on, or the last one."""
    visitor = await require_owner(request)
    return await _page(request, visitor)


async def pull(request: Request) -> Response:
    """Begin to pull a model."""
    visitor = await require_owner(request)
    fields = await read_form(request, visitor)
    name, revision = fields.get("name", "").strip(), fields.get("revision", "").strip()
    try:
        if not 0 < len(name) <= LONGEST_NAME or len(revision) > LONGEST_NAME:
            raise UsageError("Name a repository of the hub, as mistralai/Voxtral-Mini-3B-2507.")
        Site.of(request).gateway.pull.begin(name, revision or None)
    except UsageError as error:
        return await _page(request, visitor, name=name, fault=error.sentence, status=400)
    return RedirectResponse(PATH, 303)


async def cancel(request: Request) -> Response:
    """Cancel the pull."""
    visitor = await require_owner(request)
    await read_form(request, visitor)
    Site.of(request).gateway.pull.cancel()
    return RedirectResponse(PATH, 303)


async def progress(request: Request) -> Response:
    """How far the pull is, for the script of the page."""
    await require_owner(request)
    state = Site.of(request).gateway.pull.state
    return JSONResponse(_facts(state))


async def confirm(request: Request) -> Response:
    """Ask whether a model is to be removed."""
    site, visitor = Site.of(request), await require_owner(request)
    name = request.query_params.get("name", "")
    found = [each for each in await _installed(request) if each.name == name]
    if not found:
        raise _not_here(name)
    return site.renderer.page(request, "owner/remove.html", visitor, model=found[0])


async def remove(request: Request) -> Response:
    """Remove a model, at once."""
    site, visitor = Site.of(request), await require_owner(request)
    fields = await read_form(request, visitor)
    name = fields.get("name", "")
    if not any(each.name == name for each in await _installed(request)):
        raise _not_here(name)
    registry = Registry.open(site.gateway.settings)
    await asyncio.to_thread(registry.remove, name)
    return RedirectResponse(PATH, 303)


async def _page(
    request: Request, visitor: Visitor, *, name: str = "", fault: str = "", status: int = 200
) -> Response:
    site = Site.of(request)
    gateway = site.gateway
    return site.renderer.page(
        request,
        "owner/models.html",
        visitor,
        status=status,
        models=await _installed(request),
        state=gateway.pull.state,
        running=gateway.pull.running,
        name=name,
        fault=fault,
        remove_query=lambda model: urlencode({"name": model}),
    )


async def _installed(request: Request) -> list[Installed]:
    gateway = Site.of(request).gateway
    specs = {spec.name: spec for spec in await gateway.session.list_models() if spec.loader}
    return await asyncio.to_thread(_read_installed, gateway.settings, specs)


def _read_installed(settings: Settings, specs: Mapping[str, ModelSpec]) -> list[Installed]:
    """Return what the home has, then models that are in packages alone."""
    loaded = {engine.model for engine in running_engines(settings.home / RUN_FOLDER)}
    found: list[Installed] = []
    for name, record in Registry.open(settings).survey():
        if isinstance(record, RegistryError):
            found.append(Installed(name, fault=record.sentence))
        else:
            packaged = record.source == "package"
            found.append(Installed(name, record, in_memory=name in loaded, packaged=packaged))
    names = {each.name for each in found}
    return found + _in_packages([spec for spec in specs.values() if spec.name not in names], loaded)


def _in_packages(specs: Sequence[ModelSpec], loaded: set[str]) -> list[Installed]:
    return [
        Installed(
            spec.name,
            fault=why_not_installed(spec) or "",
            in_memory=spec.name in loaded,
            packaged=True,
        )
        for spec in specs
    ]


def _facts(state: PullState | None) -> dict[str, str | int | bool | None]:
    if state is None:
        return {"name": None, "ended": True}
    return {
        "name": state.name,
        "message": state.message,
        "file": state.file,
        "done": state.done,
        "total": state.total,
        "ended": state.ended_at is not None,
    }


def _not_here(name: str) -> VoxgateError:
    return VoxgateError(
        f"No model '{name[:100]}' is in the home of this server. The list of models has those that "
        f"are.",
        code="not_found",
    )


PAGES = (
    ("GET", PATH, listing),
    ("GET", PULL, progress),
    ("POST", PULL, pull),
    ("POST", PULL + "/cancel", cancel),
    ("GET", REMOVE, confirm),
    ("POST", REMOVE, remove),
)
