"""How the options of a recording are checked, and divided between its windows.

A model sees one window and knows nothing of the others. Options that concern the whole text are
therefore divided here: each window has a seed of its own, `max_tokens` is what the windows before
have left over, and `stop` is searched in the joined text, where it may cross a window's border.
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
TEMPERATURE_STEP = 0.4  # added where a text went round in a loop
MAX_TEMPERATURE = 2.0


@dataclass(frozen=True, slots=True)
class AcceptedOptions:
    """Options that were checked against the model's capabilities: nothing checks them again.

    Created by `accept_options`. `unused` names the hints that the model has no use for, which are
    not among `options` any more; the job adds a notice for each.
    """

    options: Options
    unused: tuple[str, ...] = ()


def accept_options(model: str, capabilities: Capabilities, options: Options) -> AcceptedOptions:
    """Check the options of a recording for the model.

    Raises `UsageError` (`unsupported_language`) and `UsageError` (`unsupported_option`) for an
    option that the model cannot fulfil.
    """
    capabilities.check(model, options)
    return AcceptedOptions(*capabilities.honoured(options))


def accept_question(model: str, capabilities: Capabilities, options: Options) -> AcceptedOptions:
    """Check the options of a question for the model.

    Raises `UsageError` (`unsupported_option`), also for a model that does not answer.
    """
    capabilities.check_question(model, options)
    return AcceptedOptions(*capabilities.honoured_in_answers(options))


@dataclass(frozen=True, slots=True)
class OptionBudget:
    """The options of a recording, and how much of them its windows have used so far."""

    options: Options
    tokens: int = 0  # used
    text: str = ""  # joined as in `Transcript.text`; kept only where a stop is searched
    end: int | None = None  # length in characters of the joined text before a stop

    @property
    def ordered(self) -> bool:
        """Whether windows must be recognised one after another."""
        return self.options.max_tokens is not None or bool(self.options.stop)

    @property
    def spent(self) -> bool:
        """Whether the text is complete: no further window may be recognised."""
        limit = self.options.max_tokens
        return self.end is not None or (limit is not None and self.tokens >= limit)

    def window(self, index: int) -> Options:
        """Return the options for the window with this index, the same for every attempt.

        The budget must not be spent. `stop` is left out: a model that ended its text there would
        leave nothing to search.
        """
        seed, limit = self.options.seed, self.options.max_tokens
        if seed is None and not self.ordered:
            return self.options
        return replace(
            self.options,
            seed=None if seed is None else window_seed(seed, index),
            max_tokens=None if limit is None else limit - self.tokens,
            stop=(),
        )

    def after(self, segments: Sequence[Segment], tokens: int) -> OptionBudget:
        """Return the budget after the next window, which has these segments and used `tokens`."""
        used = self.tokens + tokens
        if not self.options.stop:
            return replace(self, tokens=used)
        before = [self.text] if self.text else []
        text = " ".join([*before, *(segment.text for segment in segments if segment.text)])
        found = [(_find(stop, text, len(self.text)), len(stop)) for stop in self.options.stop]
        # The stop that is complete first counts, as in a text that is read while it is written:
        # then the borders of windows change nothing.
        ends = [(start + length, start) for start, length in found if start >= 0]
        return replace(self, tokens=used, text=text, end=min(ends)[1] if ends else None)


def draw_seed(options: Options, capabilities: Capabilities) -> Options:
    """Return the options with a random seed where sampling needs one and the caller gave none."""
    if not options.temperature or options.seed is not None or "seed" not in capabilities.options:
        return options
    return replace(options, seed=secrets.randbits(SEED_BITS))


def with_more_randomness(options: Options, capabilities: Capabilities) -> Options | None:
    """Return a window's options with more randomness: the same every time, where a seed is taken.

    None where the model takes no temperature: it would write the same again.
    """
    if "temperature" not in capabilities.options:
        return None
    temperature = min(MAX_TEMPERATURE, options.temperature + TEMPERATURE_STEP)
    seed = (options.seed or 0) if "seed" in capabilities.options else None
    return replace(options, temperature=temperature, seed=seed)


def window_seed(seed: int, index: int) -> int:
    """Return the seed of one window.

    It depends on the recording's seed and the window's index alone, so that neither batches nor
    order nor a second attempt change the window's text. It is the first 63 bits of SHA-256 of
    `seed:index`, in decimal: generators with neighbouring seeds may resemble each other.
    """
    digest = sha256(f"{seed}:{index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> (64 - SEED_BITS)


def _find(stop: str, text: str, searched: int) -> int:
    """Return where `stop` first begins in the text, or -1.

    The first `searched` characters are known not to contain it.
    """
    return text.find(stop, max(0, searched + 1 - len(stop)))
