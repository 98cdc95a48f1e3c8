"""A network in a quantised profile: made from a checkpoint once, kept on the disk, and mapped.

The first start reads the checkpoint tensor by tensor and writes what it makes of each straight to
the disk: at no moment is the model there twice. Every later start maps the file. Where nothing can
be written, the same arrays are made in memory, at each start anew, and a log line says so.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from voxgate.voxtral.checkpoint.loader import set_parameter
from voxgate.voxtral.checkpoint.weight_names import HEAD_PARAMETER
from voxgate.voxtral.kernels import onednn
from voxgate.voxtral.quantization import linear
from voxgate.voxtral.quantization.linear import FusedLinear, LinearGroup, PrepackedLinear
from voxgate.voxtral.quantization.profiles import PROFILES, scheme_of, weight_bytes
from voxgate.voxtral.quantization.weight_cache import WeightFile, WeightFileWriter, cache_paths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.voxtral.checkpoint.loader import Checkpoint
    from voxgate.voxtral.network import Network
    from voxgate.voxtral.quantization.linear import Arrays
    from voxgate.voxtral.quantization.profiles import Profile, Scheme, Schemes
    from voxgate.voxtral.quantization.weight_cache import CachePath

logger = logging.getLogger(__name__)

EMBEDDINGS = "decoder.embeddings.weight"


@dataclass(frozen=True, slots=True)
class ParameterGroup:
    """What of a network is held together: a map, several of the same input, or one parameter."""

    name: str
    scheme: Scheme | None  # None: a parameter that is no matrix
    maps: tuple[str, ...] = ()


def build_quantized(checkpoint: Checkpoint, profile: Profile) -> Network:
    """The checkpoint's network in a quantised profile, on a processor; may be called once.

    Raises `InsufficientMemoryError` where it does not fit.
    """
    needed = weight_bytes(checkpoint.folder, profile)
    checkpoint.admit(needed, f"'{profile}'")
    pieces = list(_pieces(checkpoint.network, PROFILES[profile]))
    arrays = _kept(checkpoint, profile, pieces, needed) or dict(_made(checkpoint, pieces))
    of_piece: dict[str, Arrays] = {piece.name: {} for piece in pieces}
    for name, array in arrays.items():
        piece_name, _, own = name.partition(":")
        of_piece[piece_name][own] = array
    for piece in pieces:
        _hold(checkpoint.network, piece, of_piece[piece.name])
    checkpoint.network.attend_in(onednn.many_rows_dtype())
    checkpoint.network.fuse()
    return checkpoint.network.eval()


def prepack_bf16(network: Network) -> Network:
    """A network in bf16 on a processor, its matrices in the order that products read them in."""
    decoder = network.decoder
    if decoder.dtype == torch.bfloat16 and decoder.norm.weight.device.type == "cpu":
        maps = [each for each in network.named_modules() if isinstance(each[1], nn.Linear)]
        for name, module in maps if onednn.prepacks_bf16() else ():
            path, _, last = name.rpartition(".")
            setattr(network.get_submodule(path), last, PrepackedLinear(module))
            del module.weight  # one at a time: both are never there together
    return network


def _kept(
    checkpoint: Checkpoint, profile: Profile, pieces: list[ParameterGroup], needed: int
) -> Arrays | None:
    """The arrays from a store, which is written if there is none; None where that cannot be."""
    candidates = cache_paths(checkpoint.folder, profile)
    for place in candidates:
        if (arrays := _opened(place)) is not None:
            return arrays
    for place in candidates:
        try:
            _write(checkpoint, place, pieces, needed)
        except OSError as error:
            logger.warning(
                "%s cannot keep the quantised weights (%s).", place.file.parent, error.strerror
            )
        else:
            return _opened(place)
    logger.warning("The weights are quantised in memory, and will be again at the next start.")
    return None


def _opened(place: CachePath) -> Arrays | None:
    try:
        return WeightFile(place.file, place.key).arrays()
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("%s is made anew: %s.", place.file, error)
        return None


def _write(
    checkpoint: Checkpoint, place: CachePath, pieces: list[ParameterGroup], needed: int
) -> None:
    place.make(needed)
    with WeightFileWriter(place.file) as draft:
        for name, array in _made(checkpoint, pieces):
            draft.add(name, array)
        draft.finish(place.key)
    place.tidy()


def _pieces(network: Network, schemes: Schemes) -> Iterator[ParameterGroup]:
    """Every parameter of the network, once."""
    seen: set[str] = set()
    for name, module in network.named_modules():
        scheme = _scheme(name, module, schemes)
        if scheme is None or name in seen:
            continue
        maps = [f"{name}.{each}" for each, _ in module.named_children()] or [name]
        seen.update(maps)
        yield ParameterGroup(name, scheme, tuple(maps))
    for parameter, _ in network.named_parameters():
        if parameter.rpartition(".")[0] not in seen:
            yield ParameterGroup(parameter, None)


def _scheme(name: str, module: nn.Module, schemes: Schemes) -> Scheme | None:
    if isinstance(module, LinearGroup):
        return scheme_of(f"{name}.{next(module.named_children())[0]}", schemes)
    return scheme_of(name, schemes) if isinstance(module, nn.Linear) else None


def _made(
    checkpoint: Checkpoint, pieces: list[ParameterGroup]
) -> Iterator[tuple[str, torch.Tensor]]:
    """Every array of every piece, from the checkpoint."""
    for piece in pieces:
        if piece.scheme is None:
            kept = checkpoint.stored(piece.name) if piece.name == EMBEDDINGS else torch.float32
            yield piece.name, checkpoint.read(piece.name, kept)
            continue
        for name, array in _quantised(checkpoint, piece, piece.scheme).items():
            yield f"{piece.name}:{name}", array


def _quantised(checkpoint: Checkpoint, piece: ParameterGroup, scheme: Scheme) -> Arrays:
    weights, biases = [], []
    for each in piece.maps:
        weight = f"{each}.weight"
        source = EMBEDDINGS if weight == HEAD_PARAMETER and checkpoint.tied else weight
        weights.append(checkpoint.read(source, checkpoint.stored(source)))
        biased = checkpoint.network.get_submodule(each).bias is not None
        biases.append(checkpoint.read(f"{each}.bias", torch.float32) if biased else None)
    return linear.quantize(scheme, weights, biases)


def _hold(network: Network, piece: ParameterGroup, arrays: Arrays) -> None:
    """Put a piece into the network in place of what described it."""
    if piece.scheme is None:
        set_parameter(network, piece.name, arrays[""])
        return
    module = linear.from_arrays(piece.scheme, arrays)
    if len(piece.maps) > 1:
        rows = [len(network.get_parameter(f"{each}.weight")) for each in piece.maps]
        module = FusedLinear(module, rows)
    path, _, name = piece.name.rpartition(".")
    setattr(network.get_submodule(path), name, module)
