"""A checkpoint in a folder: a Voxtral's in either of its layouts, or a Whisper's of CTranslate2."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from voxgate.errors import CheckpointError
from voxgate.voxtral.checkpoint import directory as voxtral
from voxgate.voxtral.checkpoint.directory import CheckpointDirectory
from voxgate.whisper.directory import (
    CONFIG_FILE,
    MODEL_FILE,
    TOKENIZER_FILE,
    VOCABULARY_FILES,
    WhisperDirectory,
    is_whisper,
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
    names = _file_names(path)
    if layout == "ctranslate2" or (layout is None and _is_only_whisper(names)):
        return open_whisper_directory(Path(path).expanduser().resolve())
    if layout is None and names.intersection(VOCABULARY_FILES):
        raise CheckpointError(
            f"{path} has a Whisper's vocabulary and lacks {MODEL_FILE}, its weights. A Whisper of "
            f"CTranslate2 is {MODEL_FILE} with {CONFIG_FILE} and {TOKENIZER_FILE}. Get the missing "
            f"file."
        )
    return voxtral.open_directory(path, layout)


def shape_of(checkpoint: Checkpoint) -> Shape:
    """Return the shape of a checkpoint's model."""
    if isinstance(checkpoint, WhisperDirectory):
        config = checkpoint.config
        layers = config.encoder_layers, config.decoder_layers
        return "whisper", config.width, *layers, config.vocabulary
    return "voxtral", checkpoint.config.decoder.width, checkpoint.config.decoder.layers


def _is_only_whisper(names: set[str]) -> bool:
    """Return whether a folder holds a Whisper and no file of a Voxtral's weights."""
    others = {voxtral.SINGLE_FILE, voxtral.INDEX_FILE, voxtral.CONSOLIDATED_FILE}
    return is_whisper(names) and not names & others


def _file_names(path: str | Path) -> set[str]:
    """Return the names in a folder; none for a folder that cannot be read, which others report."""
    try:
        return {item.name for item in Path(path).expanduser().iterdir() if item.is_file()}
    except (OSError, RuntimeError):
        return set()
