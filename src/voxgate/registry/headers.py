"""Whether a folder's weights are all there, by their headers and without torch.

`voxtral.checkpoint` compares every shape when a model is loaded. This looks earlier, where a file
that was cut off or forgotten can still be got again: at the pull, the import or the adding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.errors import CheckpointError, NoWeightsError
from voxgate.voxtral.names import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from voxgate.voxtral.folder import Folder

OPTIONAL = {"encoder.positions", "decoder.embeddings", "decoder.head"}
"""Computed, called otherwise in older files, or the embeddings themselves: the loader decides."""


def check(folder: Folder) -> None:
    """Raise `CheckpointError` for weights that are broken, missing or quantised."""
    found: set[str] = set()
    for path in folder.files:
        found |= _tensors(path)
    lacking = sorted(set(_expected(folder)) - found)
    if lacking:
        raise CheckpointError(
            f"{folder.path} lacks {len(lacking)} tensors of its model, the first '{lacking[0]}'. "
            f"It is incomplete, or of another model: get it again."
        )


def _expected(folder: Folder) -> Iterator[str]:
    layers = {"encoder": folder.config.encoder.layers, "decoder": folder.config.decoder.layers}
    for parameter, name in LAYOUTS[folder.layout].items():
        if parameter not in OPTIONAL:
            numbers = range(layers[parameter.partition(".")[0]]) if "*" in name else (0,)
            yield from (f"{name.replace('*', str(number))}.weight" for number in numbers)


def _tensors(path: Path) -> set[str]:
    try:
        from voxgate.voxtral.header import announced_by  # noqa: PLC0415 (it needs an extra)
    except ModuleNotFoundError as error:
        raise NoWeightsError(
            "Models are looked at with safetensors, not installed here: "
            '`pip install "voxgate[voxtral]"`.'
        ) from error
    return set(announced_by(path))
