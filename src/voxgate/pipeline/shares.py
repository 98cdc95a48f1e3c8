"""`Shares`: which provider recognised which part of a recording, and with how many tokens."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from voxgate.audio.spool import SAMPLE_RATE
from voxgate.upstreams import LOCAL

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Share:
    """What one provider recognised."""

    samples: int = 0
    tokens: int = 0


@dataclass(slots=True)
class Shares:
    """The parts of a recording, in the order in which their text became final.

    What lies between two parts, and before the first, is of the provider of the later one; what
    follows the last is of the last. So the shares are always the whole.
    """

    first: str = LOCAL
    """Whose a recording without any speech is."""

    _parts: list[tuple[float, str, int]] = field(default_factory=list)

    def add(self, end_s: float, slug: str, tokens: int) -> None:
        """Add a part that ends there."""
        self._parts.append((end_s, slug, tokens))

    def until(self, samples: int) -> Mapping[str, Share]:
        """Return who recognised the first samples of the recording; nobody recognised none.

        Their samples are together as many. The tokens are those of parts that end there or before.
        """
        lengths, tokens = defaultdict[str, int](int), defaultdict[str, int](int)
        done, slug = 0, self.first
        for end_s, slug, written in sorted(self._parts):
            end = min(max(done, round(end_s * SAMPLE_RATE)), samples)
            lengths[slug] += end - done
            tokens[slug] += written if round(end_s * SAMPLE_RATE) <= samples else 0
            done = end
        lengths[slug] += samples - done
        return {name: Share(length, tokens[name]) for name, length in lengths.items() if length}

    def main(self, samples: int) -> str:
        """Return who recognised most of so many samples."""
        shares = self.until(samples)
        return max(shares, key=lambda name: shares[name].samples, default=self.first)
