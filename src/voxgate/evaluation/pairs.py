"""Recordings with their references: which of a folder's recordings can be scored."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from voxgate.errors import UsageError
from voxgate.evaluation.references import beside, is_manifest, read_manifest, read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from voxgate.evaluation.references import Reference


@dataclass(frozen=True, slots=True)
class ReferencedRecording:
    """A recording and what is said in it. `name` is its path in the folder."""

    path: Path
    name: str
    reference: Reference


class Pairs(NamedTuple):
    """A folder's recordings, in order: those with a reference, and the names of the others.

    `faults` are references that cannot be read; their recordings are among the others.
    """

    recordings: list[ReferencedRecording]
    left_out: list[str]
    faults: list[UsageError]


def find_pairs(folder: Path, recordings: Sequence[Path]) -> Pairs:
    """Return the recordings, which are in the folder, with their references.

    A text beside a recording counts first, then the manifests in its folder, then those above it,
    in the order of their names.
    """
    faults: list[UsageError] = []
    listed = _listed(folder, recordings, faults)
    found, left_out = list[ReferencedRecording](), list[str]()
    for path in recordings:
        name = str(path.relative_to(folder))
        reference = listed.get(_key(path))
        try:
            if os.path.isfile(beside(path)):  # noqa: PTH113 (false for a name that is too long)
                reference = read_text(beside(path))
        except UsageError as error:
            faults.append(error)
            reference = None
        if reference is None:
            left_out.append(name)
        else:
            found.append(ReferencedRecording(path, name, reference))
    return Pairs(found, left_out, faults)


def _listed(
    folder: Path, recordings: Sequence[Path], faults: list[UsageError]
) -> dict[str, Reference]:
    """Return the references in manifests by the real paths of recordings."""
    known = {_key(path) for path in recordings}
    bare = defaultdict[str, list[str]](list)  # paths without an ending
    for key in sorted(known):
        bare[os.path.splitext(key)[0]].append(key)  # noqa: PTH122 (of a text)
    references: dict[str, Reference] = {}
    for manifest in _manifests(folder, recordings):
        try:
            for places, reference in read_manifest(manifest):
                for key in map(_key, places):
                    for each in [key] if key in known else bare.get(key, ()):
                        references.setdefault(each, reference)
        except UsageError as error:
            faults.append(error)
    return references


def _manifests(folder: Path, recordings: Iterable[Path]) -> list[Path]:
    """Return the manifests in the folders of the recordings and in those above, deepest first."""
    folders = {folder}
    for path in recordings:
        inside = len(path.relative_to(folder).parts) - 1
        folders.update(list(path.parents)[:inside])
    return [
        file
        for each in sorted(folders, key=lambda path: (-len(path.parts), path))
        for file in sorted(each.iterdir())
        if is_manifest(file) and file.is_file()
    ]


def _key(path: Path) -> str:
    return os.path.realpath(path)
