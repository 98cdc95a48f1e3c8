"""Build a network in a quantized profile: quantized once, cached on disk, and mapped.

The first start reads the checkpoint one tensor at a time and writes each quantized tensor to disk
immediately, so that the model is never in memory twice. Every later start maps the file. Where no
file can be written, the same arrays are built in memory at each start, and a warning is logged.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from voxgate.voxtral.attention import attention_dtype
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

log = logging.getLogger(__name__)

EMBEDDINGS = "decoder.embeddings.weight"


@dataclass(frozen=True, slots=True)
class ParameterGroup:
    """Parameters that are stored together: one linear layer, several of one input, or a vector."""

    name: str
    scheme: Scheme | None  # None: a parameter that is not a matrix of a product
    layers: tuple[str, ...] = ()


def build_quantized(checkpoint: Checkpoint, profile: Profile) -> Network:
    """Return the checkpoint's network in a quantized profile, on the CPU. May be called once.

    Raises `InsufficientMemoryError` where it does not fit.
    """
    nbytes = weight_bytes(checkpoint.directory, profile)
    checkpoint.check_memory(nbytes, f"'{profile}'")
    groups = list(_parameter_groups(checkpoint.network, PROFILES[profile]))
    arrays = _cached_arrays(checkpoint, profile, groups, nbytes)
    if arrays is None:
        arrays = dict(_quantized_arrays(checkpoint, groups))
    by_group: dict[str, Arrays] = {group.name: {} for group in groups}
    for name, array in arrays.items():
        group_name, _, array_name = name.partition(":")
        by_group[group_name][array_name] = array
    for group in groups:
        _install(checkpoint.network, group, by_group[group.name])
    encoder, decoder = checkpoint.config.encoder, checkpoint.config.decoder
    dtype = attention_dtype(encoder.width // encoder.heads, decoder.head_dim)
    checkpoint.network.set_attention_dtype(dtype)
    checkpoint.network.fuse()
    return checkpoint.network.eval()


def prepack_bf16(network: Network) -> Network:
    """Prepack the matrices of a bf16 network on the CPU in the layout that products read."""
    decoder = network.decoder
    if decoder.dtype == torch.bfloat16 and decoder.norm.weight.device.type == "cpu":
        layers = [each for each in network.named_modules() if isinstance(each[1], nn.Linear)]
        for name, module in layers if onednn.can_prepack_bf16() else ():
            path, _, last = name.rpartition(".")
            setattr(network.get_submodule(path), last, PrepackedLinear(module))
            del module.weight  # one layer at a time, so that the model is never in memory twice
    return network


def _cached_arrays(
    checkpoint: Checkpoint, profile: Profile, groups: list[ParameterGroup], nbytes: int
) -> Arrays | None:
    """Return the arrays of a cache file, writing one if there is none. None if that fails."""
    candidates = cache_paths(checkpoint.directory, profile)
    for path in candidates:
        if (arrays := _open_cache(path)) is not None:
            return arrays
    for path in candidates:
        try:
            _write_cache(checkpoint, path, groups, nbytes)
        except OSError as error:
            log.warning(
                "%s cannot store the quantized weights (%s).", path.file.parent, error.strerror
            )
        else:
            return _open_cache(path)
    log.warning("The weights are quantized in memory, and will be again at the next start.")
    return None


def _open_cache(path: CachePath) -> Arrays | None:
    try:
        return WeightFile(path.file, path.key).arrays()
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("%s will be written again: %s.", path.file, error)
        return None


def _write_cache(
    checkpoint: Checkpoint, path: CachePath, groups: list[ParameterGroup], nbytes: int
) -> None:
    path.create_folder(nbytes)
    with WeightFileWriter(path.file) as writer:
        for name, array in _quantized_arrays(checkpoint, groups):
            writer.add(name, array)
        writer.commit(path.key, path.origin)
    path.remove_outdated()


def _parameter_groups(network: Network, schemes: Schemes) -> Iterator[ParameterGroup]:
    """Yield every parameter of the network once."""
    grouped: set[str] = set()
    for name, module in network.named_modules():
        scheme = _module_scheme(name, module, schemes)
        if scheme is None or name in grouped:
            continue
        layers = [f"{name}.{each}" for each, _ in module.named_children()] or [name]
        grouped.update(layers)
        yield ParameterGroup(name, scheme, tuple(layers))
    for parameter, _ in network.named_parameters():
        if parameter.rpartition(".")[0] not in grouped:
            yield ParameterGroup(parameter, None)


def _module_scheme(name: str, module: nn.Module, schemes: Schemes) -> Scheme | None:
    if isinstance(module, LinearGroup):
        return scheme_of(f"{name}.{next(module.named_children())[0]}", schemes)
    return scheme_of(name, schemes) if isinstance(module, nn.Linear) else None


def _quantized_arrays(
    checkpoint: Checkpoint, groups: list[ParameterGroup]
) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield every array of every group, with its name in the cache file."""
    for group in groups:
        if group.scheme is None:
            embeddings = group.name == EMBEDDINGS
            dtype = checkpoint.stored_dtype(group.name) if embeddings else torch.float32
            yield group.name, checkpoint.read(group.name, dtype)
            continue
        for name, array in _quantize_group(checkpoint, group, group.scheme).items():
            yield f"{group.name}:{name}", array


def _quantize_group(checkpoint: Checkpoint, group: ParameterGroup, scheme: Scheme) -> Arrays:
    weights, biases = [], []
    for layer in group.layers:
        weight = f"{layer}.weight"
        source = EMBEDDINGS if weight == HEAD_PARAMETER and checkpoint.tied else weight
        weights.append(checkpoint.read(source, checkpoint.stored_dtype(source)))
        has_bias = checkpoint.network.get_submodule(layer).bias is not None
        biases.append(checkpoint.read(f"{layer}.bias", torch.float32) if has_bias else None)
    return linear.quantize(scheme, weights, biases)


def _install(network: Network, group: ParameterGroup, arrays: Arrays) -> None:
    """Replace a group's modules in the network by the quantized module over these arrays."""
    if group.scheme is None:
        set_parameter(network, group.name, arrays[""])
        return
    module = linear.from_arrays(group.scheme, arrays)
    if len(group.layers) > 1:
        rows = [len(network.get_parameter(f"{layer}.weight")) for layer in group.layers]
        module = FusedLinear(module, rows)
    path, _, name = group.name.rpartition(".")
    setattr(network.get_submodule(path), name, module)
