"""Profiles: the ways to hold a model's weights, and what each takes. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.voxtral.header import announced_by

if TYPE_CHECKING:
    from voxgate.voxtral.folder import Folder

PROFILES = ("exact",)
"""The most exact first."""


def footprint(folder: Folder, profile: str) -> int:  # noqa: ARG001 (there is one)
    """Bytes of memory that the checkpoint takes when it is loaded, one tensor more included.

    Reads headers alone. Raises `CheckpointError` for files that are broken.
    """
    sizes = [tensor.nbytes for path in folder.files for tensor in announced_by(path).values()]
    return sum(sizes) + max(sizes, default=0)
