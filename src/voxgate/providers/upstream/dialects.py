"""`DIALECTS`: the dialect of each kind of upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.providers.upstream.compatible import COMPATIBLE
from voxgate.providers.upstream.mistral import MISTRAL
from voxgate.providers.upstream.openai import OPENAI
from voxgate.providers.upstream.openrouter import OPENROUTER
from voxgate.providers.upstream.vllm import VLLM

if TYPE_CHECKING:
    from voxgate.providers.upstream.dialect import Dialect
    from voxgate.upstreams import UpstreamKind

DIALECTS: dict[UpstreamKind, Dialect] = {
    "openai": OPENAI,
    "mistral": MISTRAL,
    "openrouter": OPENROUTER,
    "vllm": VLLM,
    "compatible": COMPATIBLE,
}
