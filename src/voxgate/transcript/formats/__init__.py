"""The formats a transcript can be written in: one file each, one table of them all.

Every writer gives text that UTF-8 can encode, whatever the model wrote, ending with a newline.
Only `txt` and `srt`, which have no header, give the empty string for a transcript without words.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from voxgate.errors import UsageError
from voxgate.transcript.formats import json, srt, tsv, txt, verbose_json, vtt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from voxgate.transcript.values import Transcript


@dataclass(frozen=True, slots=True)
class Writer:
    """A format. No two have the same `extension`, so that all of them fit in one folder."""

    name: str
    extension: str  # with its dot
    media_type: str
    write: Callable[[Transcript], str]


WRITERS: Mapping[str, Writer] = MappingProxyType(
    {
        writer.name: writer
        for writer in (
            Writer("txt", ".txt", "text/plain", txt.write),
            Writer("srt", ".srt", "application/x-subrip", srt.write),
            Writer("vtt", ".vtt", "text/vtt", vtt.write),
            Writer("tsv", ".tsv", "text/tab-separated-values", tsv.write),
            Writer("json", ".json", "application/json", json.write),
            Writer("verbose_json", ".verbose.json", "application/json", verbose_json.write),
        )
    }
)
"""Every format by its name, in the order in which they are listed to people."""


def find_writer(name: str) -> Writer:
    """The format of that name.

    Raises `UsageError` (`unknown_format`), whose sentence names those that exist.
    """
    if name not in WRITERS:
        raise UsageError(
            f"No transcript format is called '{name}'. Known are: {', '.join(WRITERS)}.",
            code="unknown_format",
        )
    return WRITERS[name]
