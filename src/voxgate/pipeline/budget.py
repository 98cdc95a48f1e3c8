"""`OptionBudget`: what one recording's options leave to each of its windows.

A model sees one window and knows nothing of the others. So what concerns the whole text is divided
here: each window draws from a generator of its own, `max_tokens` is what the windows before have
left of it, and `stop` is looked for in the joined text, where it may stand across a border.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.models.capabilities import Capabilities
    from voxgate.transcript.values import Options, Segment

SEED_BITS = 63


@dataclass(frozen=True, slots=True)
class OptionBudget:
    """The options of a recording, and how much of them its windows until now have used."""

    options: Options
    tokens: int = 0  # used
    text: str = ""  # joined as `Transcript.text` joins it; kept where a stop is looked for
    end: int | None = None  # characters of the joined text that stand before a stop

    @property
    def ordered(self) -> bool:
        """Whether windows have to be recognised one after another."""
        return self.options.max_tokens is not None or bool(self.options.stop)

    @property
    def spent(self) -> bool:
        """Whether nothing may be added to the text any more."""
        most = self.options.max_tokens
        return self.end is not None or (most is not None and self.tokens >= most)

    def window(self, index: int) -> Options:
        """What is asked of this window. Not for a budget that is spent.

        The same for every attempt. `stop` is not among it: a model that ended its text there would
        leave nothing to be found.
        """
        seed, most = self.options.seed, self.options.max_tokens
        return replace(
            self.options,
            seed=None if seed is None else window_seed(seed, index),
            max_tokens=None if most is None else most - self.tokens,
            stop=(),
        )

    def after(self, segments: Sequence[Segment], tokens: int) -> OptionBudget:
        """What is left after the next window, in order, has said this."""
        used = self.tokens + tokens
        if not self.options.stop:
            return replace(self, tokens=used)
        before = [self.text] if self.text else []
        text = " ".join([*before, *(segment.text for segment in segments if segment.text)])
        found = [(_first(stop, text, len(self.text)), len(stop)) for stop in self.options.stop]
        # The one that is complete first, as whoever reads along sees it: borders change nothing.
        ends = [(at + length, at) for at, length in found if at >= 0]
        return replace(self, tokens=used, text=text, end=min(ends)[1] if ends else None)


def draw_seed(options: Options, capabilities: Capabilities) -> Options:
    """The options with a seed, drawn here where chance has a say and the caller gave none."""
    if not options.temperature or options.seed is not None or "seed" not in capabilities.options:
        return options
    return replace(options, seed=secrets.randbits(SEED_BITS))


def window_seed(seed: int, index: int) -> int:
    """The seed of one window: neither batches, nor order, nor a second attempt change its text.

    Hashed, because generators of neighbouring seeds may resemble each other: the first 63 bits of
    SHA-256 of `seed:index`, in decimal.
    """
    digest = sha256(f"{seed}:{index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - SEED_BITS)


def _first(stop: str, text: str, known: int) -> int:
    """Where `stop` first stands in the text, of which `known` characters are known not to hold it.

    -1 where it does not.
    """
    return text.find(stop, max(0, known + 1 - len(stop)))
