"""`/account/generations`: requests, the newest first, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from voxgate.errors import UsageError, VoxgateError
from voxgate.ledger.activity_query import read_day
from voxgate.ledger.generation_search import ENDINGS, Selection
from voxgate.ledger.key import HASH
from voxgate.ledger.usage import FIRST_FAILURE
from voxgate.web.signing.visitor import require_visitor
from voxgate.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from voxgate.ledger.generation import Generation
    from voxgate.ledger.generation_search import Ending
    from voxgate.web.signing.visitor import Visitor

PAGE_SIZE = 50
PATH = "/account/generations"


async def generations(request: Request) -> Response:
    """One page of the list: of the visitor's key, or of all for who manages."""
    site, visitor = Site.of(request), await require_visitor(request)
    selection = _selection(request, visitor)
    ledger = site.gateway.ledger
    found = await ledger.generations.newest(selection, PAGE_SIZE + 1)
    keys = await ledger.keys.all() if visitor.manages else []
    shown = found[:PAGE_SIZE]
    return site.renderer.page(
        request,
        "account/generations.html",
        visitor,
        generations=shown,
        selection=selection,
        keys={key.hash: key.name for key in keys},
        endings=ENDINGS,
        older=_address(request, before=shown[-1].id) if len(found) > PAGE_SIZE else None,
        newest=_address(request) if selection.before else None,
        outcome=outcome,
    )


async def generation(request: Request) -> Response:
    """One request: who was asked, how each attempt ended, and what it cost."""
    site, visitor = Site.of(request), await require_visitor(request)
    found = await _visible(request, visitor)
    names: dict[str, str] = {}
    if visitor.manages and found.key_hash:
        names = {key.hash: key.name for key in await site.gateway.ledger.keys.all()}
    transcript = await _transcript(request, visitor, found)
    return site.renderer.page(
        request,
        "account/generation.html",
        visitor,
        found=found,
        key_name=names.get(found.key_hash or ""),
        speed=_real_time_factor(found),
        transcript=transcript,
        outcome=outcome(found),
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended, in a word, and how good that is."""

    word: str
    kind: str  # `good`, `fair` or `bad`


def outcome(found: Generation) -> Outcome:
    """Return how a request ended."""
    if found.status is None:
        return Outcome("under way", "fair")
    if found.status < FIRST_FAILURE:
        return Outcome("succeeded", "good")
    return Outcome(found.error_code or f"status {found.status}", "bad")


@dataclass(frozen=True, slots=True)
class Text:
    """A transcript that is kept, or why there is none."""

    text: str | None
    why: str = ""


def _selection(request: Request, visitor: Visitor) -> Selection:
    """Return what the address asks for. A key that does not manage has its own alone."""
    query = request.query_params
    key = query.get("key") or None
    if key is not None and not HASH.fullmatch(key):
        raise UsageError(f"'key' in the address is '{key[:100]}', and must be the hash of a key.")
    day = query.get("day")
    return Selection(
        key_hash=key if visitor.manages else (visitor.key.hash if visitor.key else ""),
        model=query.get("model") or None,
        ending=_ending(query.get("outcome")),
        day=read_day("day", day) if day else None,
        before=query.get("before") or None,
    )


def _ending(text: str | None) -> Ending | None:
    for ending in ENDINGS:
        if ending == text:
            return ending
    if text:
        raise UsageError(
            f"'outcome' in the address is '{text[:100]}', and must be one of {', '.join(ENDINGS)}."
        )
    return None


def _address(request: Request, **more: str) -> str:
    """Return the address of the list with the same filters, from a place on."""
    kept = {name: value for name, value in request.query_params.items() if name != "before"}
    query = urlencode(kept | more)
    return f"{PATH}?{query}" if query else PATH


async def _visible(request: Request, visitor: Visitor) -> Generation:
    """Return the generation of the address. Raises `VoxgateError` (`not_found`) for another's."""
    generations, id_ = Site.of(request).gateway.ledger.generations, request.path_params["id"]
    if visitor.manages:
        found = await generations.get(id_)
    else:
        found = await generations.find(id_, visitor.key.hash if visitor.key else None)
    if found is None:
        raise VoxgateError(
            f"No generation that you may see has the id '{id_[:100]}'. Ids stand in the header "
            f"X-Generation-Id of an answer.",
            code="not_found",
        )
    return found


async def _transcript(request: Request, visitor: Visitor, found: Generation) -> Text | None:
    """Return the text that is kept, for its own key alone; None for anybody else."""
    if visitor.key is None or visitor.key.hash != found.key_hash:
        return None
    try:
        return Text(await Site.of(request).gateway.keeper.read(found))
    except VoxgateError as error:
        if error.code != "not_found":
            raise
        return Text(None, error.public_sentence)


def _real_time_factor(found: Generation) -> float | None:
    """Return the seconds that the model took for a second of sound."""
    if found.generation_time_ms is None or not found.audio_seconds:
        return None
    return found.generation_time_ms / 1000 / found.audio_seconds


PAGES = (("GET", PATH, generations), ("GET", PATH + "/{id}", generation))
