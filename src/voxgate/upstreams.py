"""`Upstream`: a provider elsewhere, whose models may be used here; `Endpoint`: one of them.

The operator lists both in `voxgate.toml`, as tables `[[providers]]` and `[[endpoints]]`. In code a
provider elsewhere is an upstream, because `providers.base.Provider` is any model that recognises a
window, here or there. Nothing here opens a connection or reads a key.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

LOCAL = "local"
"""The name of this installation among the providers of a model."""

UpstreamKind: TypeAlias = Literal["openai", "mistral", "openrouter", "vllm", "compatible"]
"""How an upstream is spoken to: `compatible` is any other server with OpenAI's routes."""

SoundFormat: TypeAlias = Literal["wav", "flac", "ogg", "mp3"]
"""What a window can be sent as; `ogg` is Opus in Ogg."""

# fmt: off
Precision: TypeAlias = Literal[
    "int4", "int8", "fp4", "mxfp4", "nvfp4", "fp6", "fp8", "mxfp8", "fp16", "bf16", "fp32",
    "unknown",
]
# fmt: on
"""Of a model's weights, as OpenRouter names it: openrouter-api.md 4.4."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A provider elsewhere. What is not known of it has the default of its kind."""

    name: str  # its slug, as in `provider.order`; not `local`
    kind: UpstreamKind
    url: str  # without a slash at the end; the path of a route is appended: `https://…/v1`
    keys: tuple[str, ...] = ()  # `env:NAME` or `file:PATH`, never a key itself
    max_bytes: int = 25 * 2**20  # of the sound in one request
    max_s: float = 600.0  # of the sound in one request
    formats: tuple[SoundFormat, ...] = ("flac", "wav")
    concurrency: int = 4  # windows in flight, of all callers
    patience_s: float = 60.0  # for an answer; sound that takes longer adds to it
    collects_data: bool = True  # whether it may keep what it is sent: `provider.data_collection`
    zero_retention: bool = False  # whether it keeps nothing at all: `provider.zdr`

    @property
    def policy(self) -> dict[str, str | bool]:
        """What the operator says of its terms, in the words of a request's `provider`."""
        return {
            "data_collection": "allow" if self.collects_data else "deny",
            "zdr": self.zero_retention,
        }


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One model at one upstream."""

    model: str  # as callers name it, `owner/model`
    upstream: Upstream
    upstream_model: str  # as the upstream names it
    languages: tuple[str, ...] = ()  # ISO 639-1; none listed: those of the model's family
    times: Literal["word", "segment", "none"] | None = None  # the finest; None: by the kind
    window_s: float | None = None  # the longest window that is sent; None: by the kind
    quantization: Precision | None = None
    answers: bool = False  # whether it answers questions, by the route of chats
    hears_s: float = 0.0  # the most sound of a question, seconds; of more it reads the words
    transcribes: bool = True  # False: it answers, and has no route of transcriptions

    @property
    def slug(self) -> str:
        """Its name in `provider.order`: `groq/whisper-large-v3`, where `groq` is all of its own."""
        return f"{self.upstream.name}/{self.upstream_model}"


@dataclass(frozen=True, slots=True)
class EndpointList:
    """The upstreams and endpoints that the operator listed, in the order of the file."""

    upstreams: tuple[Upstream, ...] = ()
    entries: tuple[Endpoint, ...] = ()

    def of(self, model: str) -> tuple[Endpoint, ...]:
        """Return the endpoints of a model, by the name that callers use, in any case."""
        return tuple(each for each in self.entries if each.model.lower() == model.lower())


NO_ENDPOINTS = EndpointList()
