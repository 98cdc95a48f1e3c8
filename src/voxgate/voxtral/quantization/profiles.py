"""Profiles: the quantization scheme of each part of a model, and its memory. Imports no torch.

`weight_bytes` reports whether a model fits before anything is loaded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from voxgate.errors import UsageError
from voxgate.hardware.memory import free_bytes
from voxgate.hardware.native_types import is_native_dtype
from voxgate.voxtral.checkpoint.config import ENCODER_POSITIONS
from voxgate.voxtral.checkpoint.safetensors_file import ITEM_BYTES, read_header
from voxgate.voxtral.checkpoint.weight_names import parent_module

if TYPE_CHECKING:
    from voxgate.voxtral.checkpoint.directory import CheckpointDirectory
    from voxgate.voxtral.checkpoint.safetensors_file import TensorInfo

Profile: TypeAlias = Literal["exact", "balanced", "fast"]
"""`exact` as the weights are stored or wider; `balanced` 8 bits; `fast` 4 in the language model."""

Scheme: TypeAlias = Literal["fp32", "bf16", "int8", "int4"]
"""The storage of a part's matrices. Other parameters have 16 or 32 bits in every scheme."""

ModelPart: TypeAlias = Literal["encoder", "projector", "language_model", "head"]

GROUP_WEIGHTS = 32  # weights that share a scale and a zero in int4
MATRICES = {"q", "k", "v", "out", "gate", "up", "down", "linear1", "linear2"}
"""The last names of the modules that are matrix products, in every part."""

WIDENING_MARGIN = 1.2  # times float32's bytes must be free before 16 bits are widened to it


@dataclass(frozen=True, slots=True)
class Schemes:
    """The scheme of each part's matrices. The field names are part of the weight cache's key."""

    encoder: Scheme
    projector: Scheme
    language_model: Scheme
    head: Scheme

    @property
    def quantized(self) -> bool:
        """Whether any part is quantized.

        If so, the rest computes in float32, or in bfloat16 where the code says so.
        """
        return bool(
            {self.encoder, self.projector, self.language_model, self.head} & {"int8", "int4"}
        )


PROFILES: dict[Profile, Schemes] = {
    "exact": Schemes("bf16", "bf16", "bf16", "bf16"),
    "balanced": Schemes("int8", "int8", "int8", "int8"),
    "fast": Schemes("int8", "int8", "int4", "int8"),
}
"""`exact` is bf16 where the checkpoint and the processor are; see `exact_scheme`.

The encoder keeps 8 bits in every profile, because 4 bits were reported to double its errors
(voxtral-model.md F.4). So does the head, because it decides on names and rare words.
"""

WIDENED = Schemes("fp32", "fp32", "fp32", "fp32")
"""`exact` on a processor that does not compute in 16 bits."""


def parse_profile(name: str) -> Profile:
    """Return the profile of this name. Raises `UsageError`, which lists all, for another name."""
    for profile in PROFILES:
        if name == profile:
            return profile
    raise UsageError(f"No profile is called '{name}'. There are {', '.join(PROFILES)}.")


def weight_bytes(directory: CheckpointDirectory, profile: Profile, device: str = "cpu") -> int:
    """Return the bytes of memory that a checkpoint's weights take on a device in a profile.

    Reads the headers only, which takes milliseconds. The result is within a percent of what
    `Voxtral.load` allocates, without the KV cache and without intermediate results. `exact` follows
    `exact_scheme` on the CPU and the stored types on a GPU, which has no other profile. Raises
    `CheckpointError` for broken files.
    """
    tensors = _module_tensors(directory)
    wide = profile == "exact" and device == "cpu" and exact_scheme(directory) == "fp32"
    schemes = WIDENED if wide else PROFILES[profile]
    total = sum(_tensor_bytes(module, tensor, schemes) for module, tensor in tensors)
    modules = {module for module, _ in tensors}
    if "encoder.positions" not in modules:  # Mistral's layout: they are computed
        total += ENCODER_POSITIONS * directory.config.encoder.width * ITEM_BYTES["F32"]
    if schemes.quantized and "decoder.head" not in modules:
        tied = [tensor for module, tensor in tensors if module == "decoder.embeddings"]
        total += sum(matrix_bytes(tensor.shape, schemes.head) for tensor in tied)
    return total


def exact_scheme(directory: CheckpointDirectory) -> Scheme:
    """Return the scheme of `exact`: `fp32` where it is faster than the stored type and fits.

    Otherwise `bf16`. A processor without 16-bit products emulates them, slowly.
    """
    tensors = [tensor for _, tensor in _module_tensors(directory)]
    weights = sum(math.prod(tensor.shape) for tensor in tensors)
    return "fp32" if is_widened(_most_common_dtype(tensors), weights) else "bf16"


def is_widened(stored: str, weights: int) -> bool:
    """Return whether `exact` loads so many weights of this stored type as float32."""
    if stored == "F32":
        return True
    wide_bytes = weights * ITEM_BYTES["F32"]
    return not is_native_dtype(stored) and WIDENING_MARGIN * wide_bytes < free_bytes()


def matrix_bytes(shape: tuple[int, ...], scheme: Scheme) -> int:
    """Return the bytes of a matrix [out, in] in a scheme, with its scales."""
    weights = math.prod(shape)
    if scheme == "int8":
        return weights + 8 * shape[0]  # a scale, and oneDNN's correction for its inputs' zero
    if scheme == "int4":
        return weights // 2 + 4 * weights // GROUP_WEIGHTS  # a scale and a zero of 16 bits each
    return weights * (4 if scheme == "fp32" else 2)


def scheme_of(module: str, schemes: Schemes) -> Scheme | None:
    """Return the scheme of a module of `Network`; None if it is not a matrix product."""
    if module == "decoder.head":
        return schemes.head
    if module.rpartition(".")[2] not in MATRICES:
        return None
    by_part: dict[str, Scheme] = {
        "encoder": schemes.encoder,
        "projector": schemes.projector,
        "decoder": schemes.language_model,
    }
    return by_part[module.partition(".")[0]]


def _module_tensors(directory: CheckpointDirectory) -> list[tuple[str, TensorInfo]]:
    """Return every tensor in the files, with the path of its module."""
    headers = [read_header(path) for path in directory.files]
    return [
        (parent_module(name, directory.layout), tensor)
        for header in headers
        for name, tensor in header.items()
    ]


def _most_common_dtype(tensors: list[TensorInfo]) -> str:
    """Return the type that most of the bytes have."""
    sizes: dict[str, int] = {}
    for tensor in tensors:
        sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + tensor.nbytes
    return max(sizes, key=sizes.__getitem__)


def _tensor_bytes(module: str, tensor: TensorInfo, schemes: Schemes) -> int:
    """Return the bytes that one tensor of a file takes in memory."""
    weights = math.prod(tensor.shape)
    if module == "encoder.positions" or schemes == WIDENED:
        return 4 * weights
    if not schemes.quantized or module == "decoder.embeddings":
        return tensor.nbytes
    scheme = scheme_of(module, schemes)
    if scheme is None or len(tensor.shape) != 2:
        return 4 * weights
    return matrix_bytes(tensor.shape, scheme)
