"""`Dialect`: how a kind of upstream is asked and how its answer is read, as pure functions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from voxgate.providers.upstream.answer import UpstreamAnswer
    from voxgate.providers.upstream.encoding import EncodedSound
    from voxgate.transcript.values import Options
    from voxgate.upstreams import Endpoint

Times: TypeAlias = Literal["word", "segment", "none"]
"""The finest times that an endpoint is asked for."""


@dataclass(frozen=True, slots=True)
class WindowQuestion:
    """What is to be asked about one window."""

    sound: EncodedSound
    options: Options
    endpoint: Endpoint
    times: Times = "none"


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """What is posted: a form with the sound as its file, or a document that has the sound in it.

    A field with several values is repeated. `unused` names the hints that could not be sent.
    """

    path: str  # appended to the upstream's URL
    fields: dict[str, str | list[str]] = field(default_factory=dict)
    document: bytes | None = field(default=None, repr=False)  # JSON
    unused: tuple[str, ...] = ()
    by_caller: tuple[str, ...] = ()  # fields that a caller chose where mostly this side does


@dataclass(frozen=True, slots=True)
class Dialect:
    """One kind of upstream.

    `options` names those of `Options` that a request to the endpoint can carry, and `times` the
    finest times that such an endpoint usually has. `parse` reads the body of a success; it raises
    what `msgspec` does.
    """

    options: Callable[[Endpoint], frozenset[str]]
    times: Callable[[Endpoint], Times]
    render: Callable[[WindowQuestion], UpstreamRequest]
    parse: Callable[[bytes, WindowQuestion], UpstreamAnswer]
