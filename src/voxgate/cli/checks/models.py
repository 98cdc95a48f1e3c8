"""The models: those that come in packages, and whether those that were installed are sound."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.cli.checks.check import Check
from voxgate.engine.catalogue import MODELS, missing
from voxgate.engine.footprints import footprints
from voxgate.errors import VoxgateError
from voxgate.pipeline.session import DEFAULT_MODEL
from voxgate.registry.amounts import shown
from voxgate.registry.registry import Registry
from voxgate.registry.shelf import Shelf
from voxgate.voxtral.memory import total_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.settings import Settings


def checks(settings: Settings) -> Iterator[Check]:
    """A model that was installed and cannot be used is a problem: somebody means to use it."""
    for name in MODELS:
        absent = missing(MODELS[name])
        if absent is None:
            yield Check(name, "ok", "installed")
        else:
            yield Check(name, "problem" if name == DEFAULT_MODEL else "note", absent)
    try:
        records = Registry.open(settings).list()
    except VoxgateError as error:
        yield Check("models", "problem", error.sentence)
        return
    for record in records:
        again = f"voxgate models {'add' if record.source == 'add' else 'pull'}"
        what = record.folder if record.source == "add" else record.name
        yield _sound(record.name, settings, f"{again} {what}")


def _sound(name: str, settings: Settings, again: str) -> Check:
    """Its files by size and time, its headers, and whether it can ever fit into the memory."""
    try:
        spec = Shelf(settings)[name]
        needs = footprints(spec)
    except VoxgateError as error:
        return Check(name, "problem", error.sentence, again)
    if absent := missing(spec):
        return Check(name, "note", absent)
    most = min(total_bytes(), settings.engine_memory_bytes)
    need = needs[spec.profile]
    found = f"{(spec.revision or '')[:12]}, {spec.profile}: {shown(need)} of memory"
    if need <= most:
        return Check(name, "ok", found)
    fitting = next((profile for profile, nbytes in needs.items() if nbytes <= most), None)
    mend = f"VOXGATE_PROFILE={fitting}" if fitting else "voxgate models pull voxtral-mini"
    return Check(name, "note", f"{found}, and engines can have {shown(most)}", mend)
