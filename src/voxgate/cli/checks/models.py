"""The models, and what each lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.cli.checks.check import Check
from voxgate.engine.catalogue import MODELS, missing
from voxgate.pipeline.session import DEFAULT_MODEL

if TYPE_CHECKING:
    from collections.abc import Iterator


def checks() -> Iterator[Check]:
    """Those that come inside packages."""
    yield from map(_built_in, MODELS)


def _built_in(name: str) -> Check:
    absent = missing(MODELS[name])
    if absent is None:
        return Check(name, "ok", "installed")
    return Check(name, "problem" if name == DEFAULT_MODEL else "note", absent)
