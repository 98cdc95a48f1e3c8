"""The built-in models: what each can do and needs, known without loading any of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module, metadata
from typing import TYPE_CHECKING

from voxgate.engine.capabilities import Capabilities
from voxgate.errors import EngineStartError, UnknownModelError

if TYPE_CHECKING:
    from voxgate.engine.recogniser import Recogniser


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model before it is loaded."""

    name: str  # owner/model
    summary: str  # one line for people
    licence: str  # SPDX, of the model's weights
    capabilities: Capabilities
    loader: str  # "module:function"; function(spec) -> Recogniser
    distributions: tuple[str, ...]  # what must be installed besides Voxgate's own needs


MODELS: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        ModelSpec(
            name="cmusphinx/en-us",
            summary="PocketSphinx 5 with its English model: small, offline, rough.",
            licence="BSD-2-Clause",
            capabilities=Capabilities(window_s=30.0, languages=("en",), times="word"),
            loader="voxgate.engine.pocketsphinx:load",
            distributions=("pocketsphinx",),
        ),
    )
}


def find(name: str) -> ModelSpec:
    """The model of that name. Raises `UnknownModelError`, which names the nearest ones."""
    try:
        return MODELS[name]
    except KeyError:
        raise UnknownModelError.of(name, MODELS) from None


def missing(spec: ModelSpec) -> str | None:
    """A sentence that says what is not installed and how to get it; None when all is there."""
    absent = [name for name in spec.distributions if not _installed(name)]
    if not absent:
        return None
    names = " ".join(absent)
    return f"{spec.name} needs {names}, not installed here: `pip install {names}`."


def load(spec: ModelSpec) -> Recogniser:
    """Load the model into this process; seconds, and as much memory as the model takes.

    Raises `EngineStartError` for what is not installed, and whatever the model's library raises.
    """
    if absent := missing(spec):
        raise EngineStartError(absent)
    module, _, function = spec.loader.partition(":")
    recogniser: Recogniser = getattr(import_module(module), function)(spec)
    return recogniser


def _installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
