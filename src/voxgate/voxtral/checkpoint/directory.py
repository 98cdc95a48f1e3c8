"""A checkpoint's directory: its layout, configuration and weight files. Imports no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from voxgate.errors import CheckpointError
from voxgate.voxtral.checkpoint.config import VoxtralConfig

Layout: TypeAlias = Literal["hf", "mistral"]
"""The convention of file names and tensor names: Hugging Face's or Mistral's."""

CONFIG_FILES: dict[Layout, str] = {"hf": "config.json", "mistral": "params.json"}
SINGLE_FILE, INDEX_FILE = "model.safetensors", "model.safetensors.index.json"
CONSOLIDATED_FILE = "consolidated.safetensors"
TOKENIZER_FILE = "tekken.json"
MAX_JSON_BYTES = 64 * 2**20  # limit of a JSON file; Mini's tekken.json has 15 MB


@dataclass(frozen=True, slots=True)
class CheckpointDirectory:
    """A checkpoint's directory, with one layout chosen so that no weight is read twice."""

    path: Path
    layout: Layout
    config: VoxtralConfig
    files: tuple[Path, ...]  # the weight files

    @property
    def name(self) -> str:
        """The directory's own name."""
        return self.path.name

    @property
    def tokenizer(self) -> Path:
        """The path of the vocabulary."""
        return self.path / TOKENIZER_FILE


def open_directory(path: str | Path, layout: Layout | None = None) -> CheckpointDirectory:
    """Open a directory without reading weights. Takes tenths of a second at any model size.

    `layout` chooses where both layouts are present; None takes Hugging Face's. Raises
    `CheckpointError`, which says what is missing or cannot be read.
    """
    folder = Path(path).expanduser()
    try:
        folder = folder.resolve(strict=True)
        present = {item.name for item in folder.iterdir() if item.is_file()}
    except (OSError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} is not a readable folder ({_reason(error)}). Name the folder that contains "
            f"a checkpoint's files."
        ) from error
    chosen = _choose_layout(folder, present, layout)
    config = folder / CONFIG_FILES[chosen]
    table = read_json(config)
    try:
        shape = (
            VoxtralConfig.from_hf(table) if chosen == "hf" else VoxtralConfig.from_mistral(table)
        )
    except CheckpointError as error:
        raise CheckpointError(
            f"{config} does not describe a Voxtral Mini or Small that can be run: {error}."
        ) from error
    if TOKENIZER_FILE not in present:
        raise CheckpointError(
            f"{folder} has no {TOKENIZER_FILE}, the vocabulary. Get the file again."
        )
    return CheckpointDirectory(folder, chosen, shape, _weight_files(folder, present, chosen))


def read_json(path: Path) -> dict[str, Any]:
    """Read a small JSON object. Raises `CheckpointError` for any other content."""
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise CheckpointError(
                f"{path} is larger than {MAX_JSON_BYTES >> 20} MiB. Get it again."
            )
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read ({_reason(error)}). Get it again.") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} does not contain a JSON object. Get it again.")
    return value


def _choose_layout(folder: Path, present: set[str], requested: Layout | None) -> Layout:
    complete: list[Layout] = []
    if CONFIG_FILES["hf"] in present and present & {SINGLE_FILE, INDEX_FILE}:
        complete.append("hf")
    if CONFIG_FILES["mistral"] in present and CONSOLIDATED_FILE in present:
        complete.append("mistral")
    if requested is None and complete:
        return complete[0]
    if requested in complete:
        return requested
    files = {
        "hf": f"{CONFIG_FILES['hf']} with {SINGLE_FILE} or {INDEX_FILE}",
        "mistral": f"{CONFIG_FILES['mistral']} with {CONSOLIDATED_FILE}",
    }
    expected = files[requested] if requested else f"{files['hf']}, or {files['mistral']}"
    raise CheckpointError(
        f"{folder} contains no Voxtral checkpoint, which is {expected}. Name the folder that "
        f"contains these files."
    )


def _weight_files(folder: Path, present: set[str], layout: Layout) -> tuple[Path, ...]:
    if layout == "mistral":
        return (folder / CONSOLIDATED_FILE,)
    if INDEX_FILE not in present:
        return (folder / SINGLE_FILE,)
    shards = read_json(folder / INDEX_FILE).get("weight_map")
    valid = isinstance(shards, dict) and all(isinstance(name, str) for name in shards.values())
    if not shards or not valid:
        raise CheckpointError(f"{folder / INDEX_FILE} has no 'weight_map' of files. Get it again.")
    names = sorted(set(shards.values()))
    for name in names:
        if Path(name).name != name:
            raise CheckpointError(
                f"{folder / INDEX_FILE} names '{name}', which is not a file in the same folder."
            )
        if name not in present:
            raise CheckpointError(
                f"{folder} lacks {name}, one of the {len(names)} files that its {INDEX_FILE} "
                f"names. Get the file again."
            )
    return tuple(folder / name for name in names)


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
