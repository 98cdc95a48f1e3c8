"""The paths of transcripts in an output folder, by the names of their recordings."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.cli.inputs import InputRecording
    from voxgate.transcript.formats import Writer


def choose_bases(
    folder: Path, writers: Sequence[Writer], recordings: Sequence[InputRecording]
) -> dict[Path, Path]:
    """Return each recording's output path without the format's extension.

    That is the stem, or the full name if the stem collides with another output or an input.
    """
    bases = {
        recording.relative_path: folder / recording.relative_path.with_suffix("")
        for recording in recordings
    }
    inputs = real_paths(recordings)
    while True:
        paths = {key: [transcript_path(base, w) for w in writers] for key, base in bases.items()}
        counts = Counter(path for some in paths.values() for path in some)
        clashing = [
            key
            for key, some in paths.items()
            if any(counts[path] > 1 or os.path.realpath(path) in inputs for path in some)
        ]
        promoted = [key for key in clashing if bases[key] != folder / key]
        if not promoted:
            break
        bases |= {key: folder / key for key in promoted}
    if len(bases) < len(recordings) or clashing:
        raise UsageError(
            f"Two recordings of the same name cannot both be written to {folder}, nor a transcript "
            f"over its recording. Use two calls with two folders, or name the folder above them."
        )
    return bases


def real_paths(recordings: Sequence[InputRecording]) -> set[str]:
    """Return the files that recordings are read from, with their links resolved."""
    sources = [recording.source for recording in recordings if isinstance(recording.source, Path)]
    return {os.path.realpath(path) for path in sources}


def transcript_path(base: Path, writer: Writer) -> Path:
    """Return a transcript's path; `base` is without the format's extension."""
    return base.with_name(base.name + writer.extension)
