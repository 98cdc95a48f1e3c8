"""`find_canaries`: the recordings that are sent, and `digest_of`: what tells them apart."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from voxgate.audio.recording_folder import UnreadFile, search_folder
from voxgate.errors import UsageError
from voxgate.evaluation import known_sentence
from voxgate.evaluation.pairs import find_pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from voxgate.evaluation.pairs import ReferencedRecording
    from voxgate.settings import Settings


class Canaries(NamedTuple):
    """At least one recording, in order, and sentences about what cannot be sent."""

    recordings: Sequence[ReferencedRecording]
    problems: Sequence[str] = ()


def find_canaries(settings: Settings) -> Canaries:
    """Return the recordings with references in the folder of the settings, else a known sentence.

    They are found as by `voxgate eval`. Reads directories and references. Raises `UsageError` where
    the folder has none, `OSError` where it cannot be read.
    """
    if not settings.canary_folder:
        return Canaries([known_sentence.recording()])
    folder = Path(settings.canary_folder).expanduser()
    if not folder.is_dir():
        raise UsageError(
            f"'canary_folder' is {folder}, which is no folder. Name one with recordings and their "
            f"references."
        )
    found = list(search_folder(folder))
    pairs = find_pairs(folder, [each for each in found if isinstance(each, Path)])
    problems = [
        *(problem for each in found if (problem := _problem(each))),
        *(fault.sentence for fault in pairs.faults),
        *(f"{name} has no reference." for name in pairs.left_out),
    ]
    if not pairs.recordings:
        raise UsageError(
            f"'canary_folder' is {folder}, where no recording has a reference. Write what is said "
            f"in a.flac into a.txt beside it, and so on."
        )
    return Canaries(pairs.recordings, problems)


def _problem(found: Path | UnreadFile | OSError) -> str | None:
    if isinstance(found, UnreadFile):
        return f"{found.path} is not read: {found.reason}."
    if isinstance(found, OSError):
        return f"{found.filename} cannot be read: {found.strerror}."
    return None


def digest_of(recordings: Iterable[ReferencedRecording]) -> str:
    """Return a SHA-256 that is another one where other results are to be expected.

    It is of names, sizes and references. Reads directories. Raises `OSError`.
    """
    digest = sha256()
    for each in recordings:
        size = each.path.stat().st_size
        fields = (each.name, str(size), each.reference.text, each.reference.language or "")
        digest.update("\0".join(fields).encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()
