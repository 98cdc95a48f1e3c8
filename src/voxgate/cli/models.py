"""`voxgate models`: what can transcribe here, and what each model can do."""

# ruff: noqa: PLC0415 (what a command works with is imported when it is called)

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgate.cli import tables
from voxgate.cli.streams import emit

if TYPE_CHECKING:
    from collections.abc import Sequence

HEADINGS = ("model", "languages", "times", "longest window", "licence", "state")


def models(
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """List the models, what each can do and what it lacks.

    A table on a terminal; elsewhere the same columns, divided by tabs.
    """
    known = [_model(name) for name in _names()]
    if as_json:
        emit(json.dumps(known, ensure_ascii=False, indent=2) + "\n")
        return
    tables.put(HEADINGS, [_row(model) for model in known])


def _names() -> Sequence[str]:
    from voxgate.engine.catalogue import MODELS

    return tuple(MODELS)


def _model(name: str) -> dict[str, Any]:
    from voxgate.engine.catalogue import find, missing

    spec = find(name)
    absent = missing(spec)
    return {
        "name": spec.name,
        "summary": spec.summary,
        "languages": list(spec.capabilities.languages),
        "times": spec.capabilities.times,
        "window_s": spec.capabilities.window_s,
        "licence": spec.licence,
        "installed": absent is None,
        "missing": absent,
    }


def _row(model: dict[str, Any]) -> tuple[str, ...]:
    return (
        model["name"],
        ", ".join(model["languages"]),
        model["times"],
        f"{model['window_s']:g} s",
        model["licence"],
        model["missing"] or "installed",
    )
