"""The addresses of models' pages: a name has slashes, and may be followed by a section."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING
from urllib.parse import quote

from voxgate.errors import EngineStartError, UnknownModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.models.catalogue import ModelSpec
    from voxgate.pipeline.session import Session

PREFIX = "/models/"
LONGEST_NAME = 300  # characters: no model's is longer


def model_path(name: str, section: str = "") -> str:
    """Return the address of a model's page, or of one of its sections."""
    return PREFIX + quoted_name(name) + (f"/{section}" if section else "")


def quoted_name(name: str) -> str:
    """Return a model's name as an address has it."""
    return quote(name, safe="/:")


@dataclass(frozen=True, slots=True)
class FoundModel:
    """What an address names."""

    spec: ModelSpec
    section: str  # "" for the whole page
    moved: bool  # it has the model's page under another name: an alias, or another case


async def find_model_page(session: Session, rest: str, sections: Sequence[str]) -> FoundModel:
    """Return the model and the section that an address names after `PREFIX`.

    A model whose own name ends like a section has precedence. Raises `UnknownModelError` for a
    name that no model has, and `EngineStartError` (`no_endpoints`) for one that must be installed
    first.
    """
    named, _, section = rest.rpartition("/")
    try:
        spec, section = await _find(session, rest), ""
    except (UnknownModelError, EngineStartError):
        if section not in sections or not named:
            raise
        spec, rest = await _find(session, named), named
    return FoundModel(spec, section, rest != spec.name)


async def _find(session: Session, name: str) -> ModelSpec:
    if len(name) > LONGEST_NAME:
        raise UnknownModelError(f"No model has a name of {len(name)} characters.")
    return await session.resolve(name, folders=False)


def nearest_models(name: str, known: Sequence[ModelSpec]) -> list[ModelSpec]:
    """Return the models whose names are like one that none has, the most alike first."""
    by_text: dict[str, ModelSpec] = {}
    for spec in known:
        for each in (spec.name, spec.name.rpartition("/")[2], *spec.aliases):
            by_text.setdefault(each.lower(), spec)
    wanted = name[:LONGEST_NAME].lower()
    near = [
        text
        for part in (wanted, wanted.rpartition("/")[2])
        for text in get_close_matches(part, by_text, n=5, cutoff=0.5)
    ]
    found = {by_text[text].name: by_text[text] for text in near}
    return list(found.values())[:5]
