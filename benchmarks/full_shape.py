"""A checkpoint of random weights in the full shape of a published model, on disk.

The numbers of Voxtral Mini 3B and Small 24B (their configurations on Hugging Face, 2507). Weights
are drawn and written shard by shard, so that making one needs far less memory than running it.

Whatever it hears, it says the same `SENTENCE` tokens and ends, so that a whole recording can be
taken through the whole product: layers add next to nothing to the token before, and the head's row
of each token is the embedding of the one before it. What a product costs does not depend on that.
"""

from __future__ import annotations

import base64
import json
import math
import re
from itertools import islice
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file

from voxgate.benchmarking.synthetic import DECODERS, synthetic_config
from voxgate.voxtral.checkpoint.directory import TOKENIZER_FILE
from voxgate.voxtral.checkpoint.weight_names import POSITIONS_PARAMETER, file_tensor_name
from voxgate.voxtral.encoder import sinusoids
from voxgate.voxtral.network import Network

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.voxtral.checkpoint.config import VoxtralConfig

__all__ = ["DECODERS", "sentence", "write"]

SHARD_BYTES = 2 * 2**30
SENTENCE = 100  # tokens, all of them words: fluent speech of 30 s
WORD = re.compile(rb" [a-z]{3,}")
TRANSCRIBE, END, FIRST_TEXT = 34, 2, 1000  # ids
QUIET = 1e-4  # of what a layer adds
ADDS = (".out.weight", ".down.weight")
EMBEDDINGS, HEAD = "decoder.embeddings.weight", "decoder.head.weight"


def write(
    folder: Path, shape: str = "mini", seed: int = 0, device: torch.device | str = "cpu"
) -> int:
    """Write the checkpoint in Hugging Face's layout; its weights' bytes, in bf16.

    A card draws them in seconds, and other ones than a processor.
    """
    generator = torch.Generator(device).manual_seed(seed)
    return _weights(folder, synthetic_config(folder, shape), generator)


def sentence(folder: Path) -> list[int]:
    """The tokens that such a checkpoint says."""
    vocabulary = json.loads((folder / TOKENIZER_FILE).read_bytes())["vocab"]
    words = (
        FIRST_TEXT + entry["rank"]
        for entry in vocabulary
        if WORD.fullmatch(base64.b64decode(entry["token_bytes"]))
    )
    return list(islice(words, SENTENCE))


def _weights(folder: Path, config: VoxtralConfig, generator: torch.Generator) -> int:
    said = [TRANSCRIBE, *sentence(folder), END]
    with torch.device("meta"):
        parameters = list(Network(config).named_parameters())
    places: dict[str, str] = {}
    total = 0
    before = torch.empty(0)  # the embeddings of what comes before each
    while parameters:
        file = f"model-{len(set(places.values())) + 1:05d}.safetensors"
        shard: dict[str, torch.Tensor] = {}
        while parameters and sum(tensor.nbytes for tensor in shard.values()) < SHARD_BYTES:
            parameter, target = parameters.pop(0)
            weight = _drawn(parameter, target.shape, generator)
            if parameter == EMBEDDINGS:
                before = weight[said[:-1]].clone()
            if parameter == HEAD:
                weight[said[1:]] = before
            shard[file_tensor_name(parameter, "hf") or parameter] = weight
        save_file(shard, folder / file, metadata={"format": "pt"})
        places |= dict.fromkeys(shard, file)
        total += sum(tensor.nbytes for tensor in shard.values())
    index = {"metadata": {"total_size": total}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return total


def _drawn(parameter: str, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """Gains of one, no biases, and matrices that keep the size of what goes through them."""
    if parameter == POSITIONS_PARAMETER:
        return sinusoids(*shape).bfloat16()
    if len(shape) == 1:
        value = 1.0 if parameter.endswith("weight") else 0.0
        return torch.full(shape, value, dtype=torch.bfloat16)
    fan_in = math.prod(shape[1:])
    size = fan_in**-0.5
    if parameter.startswith("decoder.layers") and parameter.endswith(ADDS):
        size *= QUIET
    drawn = torch.empty(shape, dtype=torch.bfloat16, device=generator.device)
    return drawn.normal_(0.0, size, generator=generator).cpu()
