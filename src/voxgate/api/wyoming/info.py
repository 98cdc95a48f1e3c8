"""What the server says of itself: its models and their languages, with who made them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wyoming.info import AsrModel, AsrProgram, Attribution, Info

from voxgate._version import __version__
from voxgate.models.catalogue import why_unavailable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from voxgate.models.catalogue import ModelSpec

HUB = "https://huggingface.co/"
_COMMIT = re.compile(r"[0-9a-f]{40}")  # a revision of a model that is from the hub


def describe(models: Iterable[ModelSpec], default: str) -> Info:
    """Return the answer to `describe`. The model that is used without a name is the first."""
    transcribing = (spec for spec in models if spec.capabilities.transcribes)
    listed = sorted(transcribing, key=lambda spec: spec.name != default)
    program = AsrProgram(
        name="voxgate",
        attribution=Attribution("Voxgate", ""),
        installed=True,
        description="Speech to text on your own machines",
        version=__version__,
        models=[_model(spec) for spec in listed],
        supports_transcript_streaming=True,
    )
    return Info(asr=[program])


def _model(spec: ModelSpec) -> AsrModel:
    owner, _, _ = spec.name.partition("/")
    address = HUB + spec.name if _COMMIT.fullmatch(spec.revision or "") else ""
    return AsrModel(
        name=spec.name,
        attribution=Attribution(owner, address),
        installed=why_unavailable(spec) is None,
        description=spec.summary,
        version=spec.revision,
        languages=list(spec.capabilities.languages),
    )
