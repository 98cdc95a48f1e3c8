"""Where a checkpoint lies, and what its small files say. Imports no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from voxgate.errors import CheckpointError
from voxgate.voxtral.checkpoint.config import VoxtralConfig

Layout: TypeAlias = Literal["hf", "mistral"]
"""Whose file names and tensor names: Hugging Face's or Mistral's own."""

CONFIG_FILES: dict[Layout, str] = {"hf": "config.json", "mistral": "params.json"}
SINGLE_FILE, INDEX_FILE = "model.safetensors", "model.safetensors.index.json"
CONSOLIDATED_FILE = "consolidated.safetensors"
TOKENIZER_FILE = "tekken.json"
SMALL_BYTES = 64 * 2**20  # the most that a file of JSON may have; Mini's tekken.json has 15 MB


@dataclass(frozen=True, slots=True)
class CheckpointDirectory:
    """A checkpoint's folder with one of its layouts chosen: the weights are never read twice."""

    path: Path
    layout: Layout
    config: VoxtralConfig
    files: tuple[Path, ...]  # of weights

    @property
    def name(self) -> str:
        """What the folder calls itself."""
        return self.path.name

    @property
    def tokenizer(self) -> Path:
        """The vocabulary's file."""
        return self.path / TOKENIZER_FILE


def open_directory(path: str | Path, layout: Layout | None = None) -> CheckpointDirectory:
    """Look at a folder without reading weights: tenths of a second whatever the model's size.

    Where both layouts lie side by side, `layout` chooses; None takes Hugging Face's. Raises
    `CheckpointError` with what is missing or cannot be read.
    """
    folder = Path(path).expanduser()
    try:
        folder = folder.resolve(strict=True)
        present = {item.name for item in folder.iterdir() if item.is_file()}
    except (OSError, RuntimeError) as error:
        raise CheckpointError(
            f"{path} is no folder that can be read ({_reason(error)}). Name the folder that holds "
            f"a checkpoint's files."
        ) from error
    chosen = _layout(folder, present, layout)
    config = folder / CONFIG_FILES[chosen]
    table = read_json(config)
    try:
        shape = (
            VoxtralConfig.from_hf(table) if chosen == "hf" else VoxtralConfig.from_mistral(table)
        )
    except CheckpointError as error:
        raise CheckpointError(
            f"{config} is not of a Voxtral Mini or Small that can be run: {error}."
        ) from error
    if TOKENIZER_FILE not in present:
        raise CheckpointError(
            f"{folder} has no {TOKENIZER_FILE}, the vocabulary. Get the file again."
        )
    return CheckpointDirectory(folder, chosen, shape, _weights(folder, present, chosen))


def read_json(path: Path) -> dict[str, Any]:
    """A small JSON object. Raises `CheckpointError` for whatever else the file is."""
    try:
        if path.stat().st_size > SMALL_BYTES:
            raise CheckpointError(f"{path} is larger than {SMALL_BYTES >> 20} MiB. Get it again.")
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} cannot be read ({_reason(error)}). Get it again.") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{path} holds no JSON object. Get it again.")
    return value


def _layout(folder: Path, present: set[str], wanted: Layout | None) -> Layout:
    complete: list[Layout] = []
    if CONFIG_FILES["hf"] in present and present & {SINGLE_FILE, INDEX_FILE}:
        complete.append("hf")
    if CONFIG_FILES["mistral"] in present and CONSOLIDATED_FILE in present:
        complete.append("mistral")
    if wanted is None and complete:
        return complete[0]
    if wanted in complete:
        return wanted
    files = {
        "hf": f"{CONFIG_FILES['hf']} with {SINGLE_FILE} or {INDEX_FILE}",
        "mistral": f"{CONFIG_FILES['mistral']} with {CONSOLIDATED_FILE}",
    }
    expected = files[wanted] if wanted else f"{files['hf']}, or {files['mistral']}"
    raise CheckpointError(
        f"{folder} holds no checkpoint of Voxtral: {expected} would be one. Name the folder that "
        f"holds these files."
    )


def _weights(folder: Path, present: set[str], layout: Layout) -> tuple[Path, ...]:
    if layout == "mistral":
        return (folder / CONSOLIDATED_FILE,)
    if INDEX_FILE not in present:
        return (folder / SINGLE_FILE,)
    shards = read_json(folder / INDEX_FILE).get("weight_map")
    named = isinstance(shards, dict) and all(isinstance(name, str) for name in shards.values())
    if not shards or not named:
        raise CheckpointError(f"{folder / INDEX_FILE} has no 'weight_map' of files. Get it again.")
    names = sorted(set(shards.values()))
    for name in names:
        if Path(name).name != name:
            raise CheckpointError(
                f"{folder / INDEX_FILE} names '{name}', which is no file beside it."
            )
        if name not in present:
            raise CheckpointError(
                f"{folder} lacks {name}, one of the {len(names)} files that its {INDEX_FILE} "
                f"names. "
                f"Get the file again."
            )
    return tuple(folder / name for name in names)


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
