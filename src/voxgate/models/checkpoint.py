"""A checkpoint in a folder: a Voxtral's in either of its layouts, or a Whisper's of CTranslate2."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from voxgate.voxtral.checkpoint import directory as voxtral
from voxgate.voxtral.checkpoint.directory import CheckpointDirectory
from voxgate.whisper.directory import (
    MODEL_FILE,
    VOCABULARY_FILES,
    WhisperDirectory,
    open_whisper_directory,
)

Checkpoint: TypeAlias = CheckpointDirectory | WhisperDirectory
Layout: TypeAlias = Literal["hf", "mistral", "ctranslate2"]
"""The convention of file names and tensor names."""

Shape: TypeAlias = tuple[str | int, ...]
"""What tells the published models apart: the architecture, then its sizes."""


def open_checkpoint(path: str | Path, layout: Layout | None = None) -> Checkpoint:
    """Open a folder without reading weights. Takes tenths of a second at any model size.

    `layout` chooses where several are present; None takes Hugging Face's, then Mistral's. Raises
    `CheckpointError`, which says what is missing or cannot be read.
    """
    if layout is None and _is_only_whisper(_file_names(path)):
        layout = "ctranslate2"
    if layout == "ctranslate2":
        return open_whisper_directory(Path(path).expanduser().resolve())
    return voxtral.open_directory(path, layout)


def shape_of(checkpoint: Checkpoint) -> Shape:
    """Return the shape of a checkpoint's model."""
    if isinstance(checkpoint, WhisperDirectory):
        config = checkpoint.config
        layers = config.encoder_layers, config.decoder_layers
        return "whisper", config.width, *layers, config.vocabulary
    return "voxtral", checkpoint.config.decoder.width, checkpoint.config.decoder.layers


def _is_only_whisper(names: set[str]) -> bool:
    """Return whether a folder holds a Whisper, or a part of one, and no weights of a Voxtral."""
    others = {voxtral.SINGLE_FILE, voxtral.INDEX_FILE, voxtral.CONSOLIDATED_FILE}
    return bool(names.intersection((MODEL_FILE, *VOCABULARY_FILES))) and not names & others


def _file_names(path: str | Path) -> set[str]:
    """Return the names in a folder; none for a folder that cannot be read, which others report."""
    try:
        return {item.name for item in Path(path).expanduser().iterdir() if item.is_file()}
    except (OSError, RuntimeError):
        return set()
