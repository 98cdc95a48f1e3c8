"""A window whose text is no more than what the caller said of the recording before.

Models that get a prompt or a vocabulary may repeat it over a noise. A Whisper of this machine looks
for that itself, by its probabilities (`whisper/decoding.py`); of a provider elsewhere only the text
is known.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voxgate.pipeline.review import Placed
    from voxgate.transcript.values import Options


def is_echo(placed: Placed, options: Options) -> bool:
    """Return whether a provider elsewhere wrote words of the prompt and vocabulary alone."""
    recognised, segments = placed
    if recognised.provider.is_local:
        return False
    said = _words(" ".join(segment.text for segment in segments))
    return bool(said) and said <= _words(" ".join([options.prompt, *options.vocabulary]))


def says_otherwise(alone: Placed, echo: Placed) -> bool:
    """Return whether a text without the caller's words shows that those were not said.

    It has nothing, or so much more that the echo lost most of it.
    """
    heard = sum(len(segment.text) for segment in alone[1])
    return not heard or heard >= 2 * sum(len(segment.text) for segment in echo[1])


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.casefold()))
