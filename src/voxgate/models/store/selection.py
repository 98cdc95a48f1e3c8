"""Select the files of a repository to fetch: one layout, and the small files that it needs.

The official repositories hold the same weights twice, in Hugging Face's layout and in Mistral's.
Hugging Face's is preferred when both are complete, as in `voxtral.checkpoint.directory`. Only
safetensors, JSON and a Whisper's files of CTranslate2 are fetched: other formats of weights can
contain programs.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from voxgate.errors import CheckpointError
from voxgate.models.store.record import WEIGHTS_SUFFIX
from voxgate.voxtral.checkpoint.config import VoxtralConfig
from voxgate.voxtral.checkpoint.directory import (
    CONFIG_FILES,
    CONSOLIDATED_FILE,
    INDEX_FILE,
    MAX_JSON_BYTES,
    SINGLE_FILE,
    TOKENIZER_FILE,
)
from voxgate.whisper.directory import CONFIG_FILE as WHISPER_CONFIG
from voxgate.whisper.directory import (
    MODEL_FILE,
    PREPROCESSOR_FILE,
    VOCABULARY_FILES,
)
from voxgate.whisper.directory import TOKENIZER_FILE as WHISPER_TOKENIZER

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from voxgate.models.checkpoint import Layout

SIDE_FILES: dict[Layout, tuple[str, ...]] = {
    "hf": ("generation_config.json", "preprocessor_config.json", "processor_config.json"),
    "mistral": (),
    "ctranslate2": (),
}
"""Not needed by Voxgate, but by the layout's own library when it opens the folder."""


def choose_layout(repository: str, names: Collection[str]) -> Layout:
    """Return the layout to fetch. Raises `CheckpointError` for a repository without any."""
    if not any(name.endswith(WEIGHTS_SUFFIX) for name in names) and MODEL_FILE in names:
        if WHISPER_CONFIG not in names:
            raise CheckpointError(
                f"{repository} has {MODEL_FILE} and no {WHISPER_CONFIG}. Choose another repository "
                f"or --revision."
            )
        return "ctranslate2"
    if not any(name.endswith(WEIGHTS_SUFFIX) for name in names):
        raise CheckpointError(
            f"{repository} has no weights as safetensors. Other formats can contain programs and "
            f"are not fetched. Choose a repository with safetensors."
        )
    present = set(names)
    if CONFIG_FILES["hf"] in present and present & {SINGLE_FILE, INDEX_FILE}:
        layout: Layout = "hf"
    elif {CONFIG_FILES["mistral"], CONSOLIDATED_FILE} <= present:
        layout = "mistral"
    else:
        raise CheckpointError(
            f"{repository} holds no checkpoint of Voxtral or Whisper. A Voxtral has "
            f"{CONFIG_FILES['hf']} with {SINGLE_FILE} or {INDEX_FILE}, or "
            f"{CONFIG_FILES['mistral']} with {CONSOLIDATED_FILE}; a Whisper of CTranslate2 has "
            f"{MODEL_FILE}."
        )
    if TOKENIZER_FILE not in present:
        raise CheckpointError(f"{repository} has no {TOKENIZER_FILE}, the vocabulary of a Voxtral.")
    return layout


def description_files(layout: Layout, names: Collection[str]) -> tuple[str, ...]:
    """Return the files to read before weights are fetched: the configuration and the index."""
    if layout == "ctranslate2":
        return (WHISPER_CONFIG,)
    has_index = layout == "hf" and INDEX_FILE in names
    return (CONFIG_FILES[layout], *((INDEX_FILE,) if has_index else ()))


def remaining_files(
    repository: str, layout: Layout, sizes: Mapping[str, int], index: Mapping[str, Any] | None
) -> tuple[str, ...]:
    """Return the other files, small ones before the weights.

    `sizes` has the bytes of all files of the repository; `index` is the content of its index file,
    if it has one. Raises `CheckpointError` for a missing file, or one that is too large.
    """
    if layout == "ctranslate2":
        return _whisper_files(repository, sizes)
    weights = _weight_files(repository, layout, index)
    small = (TOKENIZER_FILE, *(name for name in SIDE_FILES[layout] if name in sizes))
    for name in weights:
        if name not in sizes:
            raise CheckpointError(
                f"{repository} lacks {name}, one of the {len(weights)} files that its {INDEX_FILE} "
                f"names. Choose another repository or --revision."
            )
    for name in small:
        if sizes[name] > MAX_JSON_BYTES:
            raise CheckpointError(
                f"{name} in {repository} is larger than {MAX_JSON_BYTES >> 20} MiB: it does not "
                f"belong to a Voxtral."
            )
    return (*small, *weights)


def check_config(repository: str, layout: Layout, table: Mapping[str, Any]) -> None:
    """Raise `CheckpointError` for other models than Voxtral.

    What CTranslate2 has converted is told by the weights alone, once they are there.
    """
    if layout == "ctranslate2":
        return
    parse = VoxtralConfig.from_hf if layout == "hf" else VoxtralConfig.from_mistral
    try:
        parse(table)
    except CheckpointError as error:
        raise CheckpointError(
            f"{repository} is not a Voxtral Mini or Small that can be run: {error}. No weights "
            f"were fetched."
        ) from error


def _whisper_files(repository: str, sizes: Mapping[str, int]) -> tuple[str, ...]:
    vocabulary = tuple(name for name in VOCABULARY_FILES if name in sizes)
    if not vocabulary or WHISPER_TOKENIZER not in sizes:
        raise CheckpointError(
            f"{repository} has {MODEL_FILE} without {WHISPER_TOKENIZER} or without "
            f"{' and '.join(VOCABULARY_FILES)}. Choose another repository or --revision."
        )
    side = tuple(name for name in (PREPROCESSOR_FILE,) if name in sizes)
    return (WHISPER_TOKENIZER, *vocabulary, *side, MODEL_FILE)


def _weight_files(
    repository: str, layout: Layout, index: Mapping[str, Any] | None
) -> tuple[str, ...]:
    if layout == "mistral":
        return (CONSOLIDATED_FILE,)
    if index is None:
        return (SINGLE_FILE,)
    files = index.get("weight_map")
    if not isinstance(files, dict) or not files or not all(map(_is_shard, files.values())):
        raise CheckpointError(
            f"The {INDEX_FILE} of {repository} has no 'weight_map' of safetensors beside it. "
            f"Choose another repository or --revision."
        )
    return tuple(sorted(set(files.values())))


def _is_shard(name: object) -> bool:
    if not isinstance(name, str) or "\\" in name or not name.endswith(WEIGHTS_SUFFIX):
        return False
    return PurePosixPath(name).name == name and not name.startswith(".")
