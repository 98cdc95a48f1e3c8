"""References as people keep them: a text beside a recording, LibriSpeech's lists, and manifests."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING

from voxgate.errors import UsageError
from voxgate.transcript.text import encodable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import Any

TRANSCRIPT_LIST = ".trans.txt"  # of LibriSpeech: a line for each recording, `ID WORDS`

PATH_COLUMNS = (
    *("path", "file", "file_name", "filename", "audio", "audio_path", "audio_file"),
    *("audio_filepath", "wav", "wav_filename"),
)
TEXT_COLUMNS = (
    *("text", "sentence", "transcript", "transcription", "normalized_text", "reference", "words"),
)
LANGUAGE_COLUMNS = ("language", "lang", "locale")
"""The columns of a manifest, by the names of common data sets: Common Voice's `path` and
`sentence`, NeMo's `audio_filepath`, Hugging Face's `file_name`. The first that is there counts."""

CLIPS = "clips"  # the folder, beside Common Voice's manifests, to which their paths are relative


@dataclass(frozen=True, slots=True)
class Reference:
    """What is said in a recording. An empty text means that nothing is said."""

    text: str
    file: Path  # that has it
    language: str | None = None  # as a manifest names it


def beside(recording: Path) -> Path:
    """Return where a recording's own reference is: the same name, with the ending `.txt`."""
    return recording.with_suffix(".txt")


def read_text(file: Path) -> Reference:
    """Return the reference in a text file. Raises `UsageError`."""
    return Reference(_read(file).strip(), file)


def is_manifest(file: Path) -> bool:
    """Return whether a file may name recordings with their references."""
    return file.name.endswith(TRANSCRIPT_LIST) or file.suffix.lower() in _READERS


def read_manifest(file: Path) -> Iterator[tuple[list[Path], Reference]]:
    """Yield the references of a manifest, each with the places where its recording may be.

    A place in a list of LibriSpeech has no ending. A table without a column of paths or without
    one of texts is no manifest, and yields nothing. Raises `UsageError`.
    """
    content = _read(file)
    if file.name.endswith(TRANSCRIPT_LIST):
        for line in StringIO(content):
            name, _, words = line.strip().partition(" ")
            if name and _is_path(name):
                yield [file.parent / name], Reference(words.strip(), file)
        return
    try:
        for row in _READERS[file.suffix.lower()](StringIO(content)):
            path, text = _first(row, PATH_COLUMNS), _first(row, TEXT_COLUMNS)
            if path and _is_path(path) and text is not None:
                places = [file.parent / path, file.parent / CLIPS / path]
                language = _first(row, LANGUAGE_COLUMNS)
                yield places, Reference(text.strip(), file, language or None)
    except csv.Error as error:
        raise UsageError(f"{file} is no table ({error}). Correct it, or move it away.") from error


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{file} is not UTF-8 text (byte {error.start}). Save it as UTF-8."
        ) from error
    except OSError as error:
        raise UsageError(
            f"{file} cannot be read: {error.strerror}. Give this user read permission."
        ) from error


def _is_path(text: str) -> bool:
    """Return whether a file may be called so: not with what no system has in a name."""
    return "\0" not in text and encodable(text) == text


def _first(row: Mapping[str, Any], names: Iterable[str]) -> str | None:
    """Return the first of these columns that is there; None where none has a text."""
    found = (row[name] for name in names if name in row)
    return next((value for value in found if isinstance(value, str)), None)


def _table(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    rows = csv.DictReader(lines)
    rows.fieldnames = _lower(rows.fieldnames)
    return rows


def _tabs(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """Return the rows of a table with tabs. A quote in it is one, as in those of Common Voice."""
    rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    rows.fieldnames = _lower(rows.fieldnames)
    return rows


def _lower(names: Iterable[str] | None) -> list[str]:
    return [name.strip().lower() for name in names or ()]


def _objects(lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of JSON lines. A file with other lines is no manifest."""
    for line in lines:
        try:
            row = json.loads(line) if line.strip() else {}
        except (ValueError, RecursionError):
            return
        if isinstance(row, dict):
            yield row


_READERS = {".csv": _table, ".tsv": _tabs, ".jsonl": _objects}
