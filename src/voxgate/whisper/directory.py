"""A Whisper model's directory in CTranslate2's layout. Imports no CTranslate2."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from voxgate.errors import CheckpointError
from voxgate.whisper.languages import ENGLISH_ONLY, languages_by_vocabulary
from voxgate.whisper.model_file import read_shapes

if TYPE_CHECKING:
    from pathlib import Path

MODEL_FILE, CONFIG_FILE, TOKENIZER_FILE = "model.bin", "config.json", "tokenizer.json"
VOCABULARY_FILES = ("vocabulary.json", "vocabulary.txt")  # either; the JSON in newer conversions
PREPROCESSOR_FILE = "preprocessor_config.json"  # the number of mel bands, where it is not 80


@dataclass(frozen=True, slots=True)
class WhisperShape:
    """The sizes by which the published models are told apart."""

    width: int
    encoder_layers: int
    decoder_layers: int
    vocabulary: int
    mel_bands: int


@dataclass(frozen=True, slots=True)
class WhisperDirectory:
    """A directory with a Whisper model that CTranslate2 can load."""

    path: Path
    config: WhisperShape
    files: tuple[Path, ...]  # the weight file
    layout: Literal["ctranslate2"] = "ctranslate2"

    @property
    def name(self) -> str:
        """The directory's own name."""
        return self.path.name

    @property
    def languages(self) -> tuple[str, ...]:
        """The codes of the languages that it knows."""
        return languages_by_vocabulary(self.config.vocabulary)

    @property
    def multilingual(self) -> bool:
        """Whether it knows more than English, and so detects languages and translates."""
        return self.languages != ENGLISH_ONLY


def open_whisper_directory(path: Path) -> WhisperDirectory:
    """Open a directory without reading weights.

    Raises `CheckpointError`, which says what is missing or cannot be read.
    """
    try:
        present = {item.name for item in path.iterdir() if item.is_file()}
    except OSError as error:
        raise CheckpointError(
            f"{path} is not a readable folder ({error.strerror}). Name the folder that contains a "
            f"model's files."
        ) from error
    for name, what in (
        (MODEL_FILE, "its weights"),
        (CONFIG_FILE, "its configuration"),
        (TOKENIZER_FILE, "its vocabulary"),
    ):
        if name not in present:
            raise CheckpointError(
                f"{path} is a Whisper of CTranslate2 without {name}, {what}. Get the file again."
            )
    if not present.intersection(VOCABULARY_FILES):
        raise CheckpointError(
            f"{path} is a Whisper of CTranslate2 without {' or '.join(VOCABULARY_FILES)}. Get the "
            f"file again."
        )
    model = path / MODEL_FILE
    return WhisperDirectory(path, _shape(model), (model,))


def whisper_files(directory: WhisperDirectory) -> list[str]:
    """Return the names of the model's files, without others in the same directory."""
    wanted = (MODEL_FILE, CONFIG_FILE, TOKENIZER_FILE, PREPROCESSOR_FILE, *VOCABULARY_FILES)
    return sorted(name for name in wanted if (directory.path / name).exists())


def _shape(model: Path) -> WhisperShape:
    """Return the model's sizes. Raises `CheckpointError` for a file that lacks a weight."""
    shapes = read_shapes(model)
    try:
        vocabulary, width = shapes["decoder/embeddings/weight"]
        _, mel_bands, _ = shapes["encoder/conv1/weight"]
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{model} lacks weights of a Whisper model. Get it again.") from error
    encoder, decoder = (
        len({match[0] for name in shapes if (match := re.match(rf"{part}/layer_\d+/", name))})
        for part in ("encoder", "decoder")
    )
    return WhisperShape(width, encoder, decoder, vocabulary, mel_bands)
