"""The output formats of a transcript: one module each, and a table of all formats.

For any text of a model, a writer returns text that UTF-8 can encode, with a newline at its end.
Only `txt` and `srt`, which have no header, return the empty string for a transcript without words.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from voxgate.errors import UsageError
from voxgate.transcript.formats import json, srt, tsv, txt, verbose_json, vtt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from voxgate.transcript.values import Transcript


@dataclass(frozen=True, slots=True)
class Writer:
    """An output format. Its `extension` is unique, so that one folder can contain all formats."""

    name: str
    extension: str  # with the dot
    media_type: str
    write: Callable[[Transcript], str]
    has_times: bool = True
    has_words: bool = False  # or times that follow those of the words
    shows_channels: bool = True
    content: str = ""  # for users, where the name does not say it


WRITERS: Mapping[str, Writer] = MappingProxyType(
    {
        writer.name: writer
        for writer in (
            Writer("txt", ".txt", "text/plain", txt.write, has_times=False),
            Writer("srt", ".srt", "application/x-subrip", srt.write, has_words=True),
            Writer("vtt", ".vtt", "text/vtt", vtt.write, has_words=True),
            Writer("tsv", ".tsv", "text/tab-separated-values", tsv.write),
            Writer(
                "json",
                ".json",
                "application/json",
                json.write,
                has_times=False,
                shows_channels=False,
                content="the text",
            ),
            Writer(
                "verbose_json",
                ".verbose.json",
                "application/json",
                verbose_json.write,
                has_words=True,
                content="with the times of segments and words",
            ),
        )
    }
)
"""Every format by its name, in the order of lists for users."""


def find_writer(name: str) -> Writer:
    """Return the format of that name, in any case.

    Raises `UsageError` (`unknown_format`), whose sentence lists the known formats.
    """
    writer = WRITERS.get(name.lower())
    if writer is None:
        raise UsageError(
            f"There is no transcript format '{name}'. The formats are: {', '.join(WRITERS)}.",
            code="unknown_format",
        )
    return writer


def find_writers(lists: Iterable[str]) -> list[Writer]:
    """Return the formats in lists with commas, each once; `all` is every format.

    Raises `UsageError` (`unknown_format`) as `find_writer` does.
    """
    names = [name.strip() for each in lists for name in each.split(",")]
    if "all" in map(str.lower, names):
        return list(WRITERS.values())
    found = [find_writer(name) for name in names]
    return list({writer.name: writer for writer in found}.values())
