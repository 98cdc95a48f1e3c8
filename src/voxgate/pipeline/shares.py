"""`Shares`: which provider recognised which part of a recording, and with how many tokens."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from voxgate.audio.spool import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Share:
    """What one provider recognised and answered."""

    samples: int = 0
    tokens: int = 0
    answered: int = 0  # of the tokens, those of an answer


@dataclass(slots=True)
class Shares:
    """The parts of a recording, in the order in which their text became final.

    What lies between two parts, and before the first, is of the provider of the later one; what
    follows the last is of the last. So the shares are always the whole.
    """

    first: str = ""
    """The provider that a recording without speech counts for; set before the first attempt."""

    answerer: str = ""
    """Who writes an answer, from its first text on; a broken-off one is of it, too."""

    _parts: list[tuple[float, str, int]] = field(default_factory=list)
    _answers: Counter[str] = field(default_factory=Counter)  # their tokens, by provider

    @property
    def tokens(self) -> int:
        """The tokens of all parts and answers."""
        return sum(tokens for _, _, tokens in self._parts) + self._answers.total()

    def add(self, end_s: float, slug: str, tokens: int) -> None:
        """Add a part that ends there."""
        self._parts.append((end_s, slug, tokens))

    def add_recording(self, start_s: float, parts: Mapping[str, Share]) -> None:
        """Add a whole recording that begins there, of which `until` returned the parts."""
        end = round(start_s * SAMPLE_RATE)
        for slug, share in parts.items():
            end += share.samples
            self.add(end / SAMPLE_RATE, slug, share.tokens)

    def add_answer(self, slug: str, tokens: int) -> None:
        """Add the tokens of an answer, which is of no sound: who wrote it may have heard none."""
        self._answers[slug] += tokens

    def until(self, samples: int, tokens: int = 0) -> Mapping[str, Share]:
        """Return what each provider did of so many first samples; of 0, the answers alone.

        Their samples are together as many, and their tokens: of these each has those of its answers
        and of its parts that end there or before, and who recognised most has the difference.
        """
        lengths, written = defaultdict[str, int](int), defaultdict[str, int](int)
        done, slug = 0, self.first
        for end_s, slug, count in sorted(self._parts, key=lambda part: part[0]):
            end = round(end_s * SAMPLE_RATE)
            written[slug] += count if end <= samples else 0
            end = min(max(done, end), samples)
            lengths[slug] += end - done
            done = end
        lengths[slug] += samples - done
        shares = {name: Share(count, written[name]) for name, count in lengths.items() if count}
        for name, count in self._answers.items():
            share = shares.get(name, Share())
            shares[name] = Share(share.samples, share.tokens + count, count)
        if shares:
            main = _main(shares)
            others = sum(share.tokens for name, share in shares.items() if name != main)
            rest = max(shares[main].answered, tokens - others)
            shares[main] = replace(shares[main], tokens=rest)
        return shares

    def main(self, samples: int) -> str:
        """Return who recognised most of so many samples."""
        shares = self.until(samples)
        return _main(shares) if shares else self.first


def _main(shares: Mapping[str, Share]) -> str:
    return max(shares, key=lambda name: shares[name].samples)
