"""Profiles: the scheme that each part of a model is held in, and the memory it takes. No torch.

Whoever has to know whether a model fits asks `weight_bytes` before anything is loaded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from voxgate.errors import UsageError
from voxgate.hardware.cpu import supports_dtype
from voxgate.hardware.memory import free_bytes
from voxgate.voxtral.checkpoint.config import ENCODER_POSITIONS
from voxgate.voxtral.checkpoint.safetensors_file import ITEM_BYTES, read_header
from voxgate.voxtral.checkpoint.weight_names import parent_module

if TYPE_CHECKING:
    from voxgate.voxtral.checkpoint.directory import CheckpointDirectory
    from voxgate.voxtral.checkpoint.safetensors_file import TensorInfo

Profile: TypeAlias = Literal["exact", "balanced", "fast"]
"""`exact` as the weights are stored or wider; `balanced` 8 bits; `fast` 4 in the language model."""

Scheme: TypeAlias = Literal["fp32", "bf16", "int8", "int4"]
"""How the matrices of a part are held. What is no matrix keeps 16 or 32 bits in every scheme."""

ModelPart: TypeAlias = Literal["encoder", "projector", "language_model", "head"]

GROUP_WEIGHTS = 32  # weights that share a scale and a zero in int4
MATRICES = {"q", "k", "v", "out", "gate", "up", "down", "linear1", "linear2"}
"""Last names of the modules that are matrix products, in every part."""

WIDE_ROOM = 1.2  # times float32's bytes must be free before 16 bits are widened to it


@dataclass(frozen=True, slots=True)
class Schemes:
    """The scheme of each part's matrices."""

    encoder: Scheme
    projector: Scheme
    language_model: Scheme
    head: Scheme

    @property
    def quantised(self) -> bool:
        """Whether any part is: then the rest computes in float32, or bfloat16 where said."""
        return bool(
            {self.encoder, self.projector, self.language_model, self.head} & {"int8", "int4"}
        )


PROFILES: dict[Profile, Schemes] = {
    "exact": Schemes("bf16", "bf16", "bf16", "bf16"),
    "balanced": Schemes("int8", "int8", "int8", "int8"),
    "fast": Schemes("int8", "int8", "int4", "int8"),
}
"""`exact` is bf16 where the checkpoint and the processor are; see `exact_scheme`.

The encoder keeps 8 bits in every profile, because 4 were seen to double its errors
(voxtral-model.md F.4), and the head too, because it decides on names and rare words.
"""

WIDENED = Schemes("fp32", "fp32", "fp32", "fp32")
"""`exact` on a processor that does not compute with 16 bits."""


def parse_profile(name: str) -> Profile:
    """A profile by its name. Raises `UsageError`, which lists them, for any other."""
    for profile in PROFILES:
        if name == profile:
            return profile
    raise UsageError(f"No profile is called '{name}'. There are {', '.join(PROFILES)}.")


def weight_bytes(folder: CheckpointDirectory, profile: Profile, device: str = "cpu") -> int:
    """Bytes of memory that a checkpoint's weights take on a device in a profile.

    From the headers alone: milliseconds. To a percent what `Voxtral.load` holds, without the
    cache of keys and values and without what a pass computes in between. `exact` counts what
    `exact_scheme` says on a processor, and what is stored on a card, which has no other profile.
    Raises `CheckpointError` for files that are broken.
    """
    tensors = _announced(folder)
    wide = profile == "exact" and device == "cpu" and exact_scheme(folder) == "fp32"
    schemes = WIDENED if wide else PROFILES[profile]
    held = sum(_held(module, tensor, schemes) for module, tensor in tensors)
    modules = {module for module, _ in tensors}
    if "encoder.positions" not in modules:  # of Mistral's layout: they are computed
        held += ENCODER_POSITIONS * folder.config.encoder.width * ITEM_BYTES["F32"]
    if schemes.quantised and "decoder.head" not in modules:
        tied = [tensor for module, tensor in tensors if module == "decoder.embeddings"]
        held += sum(matrix_bytes(tensor.shape, schemes.head) for tensor in tied)
    return held


def exact_scheme(folder: CheckpointDirectory) -> Scheme:
    """`fp32` where that holds the stored weights as well, faster, and fits; else `bf16`.

    A processor without instructions for 16 bits emulates them, slowly.
    """
    tensors = [tensor for _, tensor in _announced(folder)]
    return "fp32" if widened(_most(tensors), sum(math.prod(t.shape) for t in tensors)) else "bf16"


def widened(stored: str, weights: int) -> bool:
    """Whether `exact` holds so many weights of this stored type as float32."""
    if stored == "F32":
        return True
    return not supports_dtype(stored) and WIDE_ROOM * weights * ITEM_BYTES["F32"] < free_bytes()


def matrix_bytes(shape: tuple[int, ...], scheme: Scheme) -> int:
    """Bytes of a matrix [out, in] in a scheme, with its scales."""
    weights = math.prod(shape)
    if scheme == "int8":
        return weights + 8 * shape[0]  # a scale, and what oneDNN adds for the zero of its inputs
    if scheme == "int4":
        return weights // 2 + 4 * weights // GROUP_WEIGHTS  # a scale and a zero of 16 bits each
    return weights * (4 if scheme == "fp32" else 2)


def _announced(folder: CheckpointDirectory) -> list[tuple[str, TensorInfo]]:
    """Every tensor in the files, by our module's name."""
    files = [read_header(path) for path in folder.files]
    return [
        (parent_module(name, folder.layout), tensor)
        for file in files
        for name, tensor in file.items()
    ]


def _most(tensors: list[TensorInfo]) -> str:
    """The type that most of the bytes have."""
    sizes: dict[str, int] = {}
    for tensor in tensors:
        sizes[tensor.dtype] = sizes.get(tensor.dtype, 0) + tensor.nbytes
    return max(sizes, key=sizes.__getitem__)


def _held(module: str, tensor: TensorInfo, schemes: Schemes) -> int:
    """Bytes that one tensor of a file takes in memory."""
    weights = math.prod(tensor.shape)
    if module == "encoder.positions" or schemes == WIDENED:
        return 4 * weights
    if not schemes.quantised or module == "decoder.embeddings":
        return tensor.nbytes
    scheme = scheme_of(module, schemes)
    if scheme is None or len(tensor.shape) != 2:
        return 4 * weights
    return matrix_bytes(tensor.shape, scheme)


def scheme_of(module: str, schemes: Schemes) -> Scheme | None:
    """The scheme of a module by its name in our network; None for what is no matrix product."""
    if module == "decoder.head":
        return schemes.head
    if module.rpartition(".")[2] not in MATRICES:
        return None
    part: dict[str, Scheme] = {
        "encoder": schemes.encoder,
        "projector": schemes.projector,
        "decoder": schemes.language_model,
    }
    return part[module.partition(".")[0]]
