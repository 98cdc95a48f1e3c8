"""A checkpoint of random weights with the full size of a published model, on disk.

The sizes are those of Voxtral Mini 3B and Small 24B (configurations on Hugging Face, 2507). Weights
are drawn and written shard by shard, which needs far less memory than running the model.

The model writes the same `SENTENCE` tokens for every input and ends, so that a whole recording can
be transcribed: layers add almost nothing to the embedding of the last token, and the head's row of
each token is the embedding of the token before it. The speed does not depend on that.
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
LAYER_SCALE = 1e-4  # scale of what a layer adds
RESIDUAL_WEIGHTS = (".out.weight", ".down.weight")
EMBEDDINGS, HEAD = "decoder.embeddings.weight", "decoder.head.weight"


def write(
    folder: Path, shape: str = "mini", seed: int = 0, device: torch.device | str = "cpu"
) -> int:
    """Write the checkpoint in Hugging Face's layout; return the bytes of its bf16 weights.

    A GPU draws them in seconds, and other values than a CPU.
    """
    generator = torch.Generator(device).manual_seed(seed)
    return _write_weights(folder, synthetic_config(folder, shape), generator)


def sentence(folder: Path) -> list[int]:
    """Return the tokens that such a checkpoint writes."""
    vocabulary = json.loads((folder / TOKENIZER_FILE).read_bytes())["vocab"]
    words = (
        FIRST_TEXT + entry["rank"]
        for entry in vocabulary
        if WORD.fullmatch(base64.b64decode(entry["token_bytes"]))
    )
    return list(islice(words, SENTENCE))


def _write_weights(folder: Path, config: VoxtralConfig, generator: torch.Generator) -> int:
    sequence = [TRANSCRIBE, *sentence(folder), END]
    with torch.device("meta"):
        parameters = list(Network(config).named_parameters())
    shard_of: dict[str, str] = {}
    total = 0
    previous = torch.empty(0)  # embeddings of the token before each of the sequence
    while parameters:
        file = f"model-{len(set(shard_of.values())) + 1:05d}.safetensors"
        shard: dict[str, torch.Tensor] = {}
        while parameters and sum(tensor.nbytes for tensor in shard.values()) < SHARD_BYTES:
            parameter, target = parameters.pop(0)
            weight = _draw(parameter, target.shape, generator)
            if parameter == EMBEDDINGS:
                previous = weight[sequence[:-1]].clone()
            if parameter == HEAD:
                weight[sequence[1:]] = previous
            shard[file_tensor_name(parameter, "hf") or parameter] = weight
        save_file(shard, folder / file, metadata={"format": "pt"})
        shard_of |= dict.fromkeys(shard, file)
        total += sum(tensor.nbytes for tensor in shard.values())
    index = {"metadata": {"total_size": total}, "weight_map": shard_of}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    return total


def _draw(parameter: str, shape: torch.Size, generator: torch.Generator) -> torch.Tensor:
    """Draw gains of one, zero biases, and matrices that keep the size of activations."""
    if parameter == POSITIONS_PARAMETER:
        return sinusoids(*shape).bfloat16()
    if len(shape) == 1:
        value = 1.0 if parameter.endswith("weight") else 0.0
        return torch.full(shape, value, dtype=torch.bfloat16)
    fan_in = math.prod(shape[1:])
    scale = fan_in**-0.5
    if parameter.startswith("decoder.layers") and parameter.endswith(RESIDUAL_WEIGHTS):
        scale *= LAYER_SCALE
    weight = torch.empty(shape, dtype=torch.bfloat16, device=generator.device)
    return weight.normal_(0.0, scale, generator=generator).cpu()
