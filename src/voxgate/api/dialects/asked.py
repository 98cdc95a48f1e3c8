"""`Asked`: what a request wants, without its wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voxgate.api.dialects.request import ResponseFormat
    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.transcript.values import Notice, Options


@dataclass(frozen=True, slots=True)
class Asked:
    """A transcription request in canonical values. `hints` says which options were not used."""

    model: str
    options: Options
    format: ResponseFormat
    words: bool
    pcm: PcmDeclaration | None = None
    hints: tuple[Notice, ...] = ()
    session_id: str | None = None
    user: str | None = None
