"""What a checkpoint hears: word error rates, and the sounds in which it hears words that are not.

Everything goes through transformers' own processor and generate, in windows of 30 s.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import chain
from typing import TYPE_CHECKING

import jiwer
import numpy as np

from training.digits import sounds
from training.digits.layouts import LONGEST_LEAD_S
from training.digits.mixture import WINDOW, Layout, clean
from training.digits.recordings import ALL_TAKES, RATE, TEST_TAKES, Recordings, speakers
from training.digits.transcriber import Transcriber

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.random import Generator
    from numpy.typing import NDArray

    from training.digits.mixture import Clip

LONG = 180 * RATE
"""Samples of the long recording of each speaker."""

MARGIN = RATE // 5
"""Samples around speech that a window of the product keeps."""

ANYWHERE = ((0.05, LONGEST_LEAD_S), 3.5, (0.05, 30.0))
"""Lead-in, longest pause and tail of clips whose sound may begin and end anywhere, seconds."""

WORDLESS = ("silence", "noise", "hum", "tone", "chord")
LEVELS_DB = (-1, -20, -40, -60)


def report(
    checkpoint: Path, names: Sequence[str] | None, count: int, *, all_takes: bool = False
) -> None:
    """Print the word error rates of some speakers' takes that training did not see."""
    takes = ALL_TAKES if all_takes else TEST_TAKES
    recordings = Recordings.load(names or speakers(), takes)
    transcriber = Transcriber(checkpoint)
    strings, singles, anywhere = Layout(1, 8), Layout(1, 1), Layout(1, 8, *ANYWHERE)
    for title, layout, many in (
        ("1 to 8 digits", strings, count),
        ("one digit", singles, count),
        ("anywhere in the window", anywhere, count // 2),
    ):
        random = np.random.default_rng(1)
        each = -(-many // len(recordings.speakers))
        clips = {
            who: [clean(recordings, layout, random, who) for _ in range(each)]
            for who in recordings.speakers
        }
        _print_rates(title, transcriber, clips)
    random = np.random.default_rng(1)
    long = {who: _long(recordings, random, who) for who in recordings.speakers}
    _print_rates("three minutes each", transcriber, long)
    _print_wordless(transcriber)


def _long(recordings: Recordings, random: Generator, who: str) -> list[Clip]:
    """The windows of a long recording: strings of digits, 3 to 5 s between them."""
    windows: list[Clip] = []
    position = 0
    margin_s = MARGIN / RATE
    layout = Layout(1, 8, (margin_s, margin_s), 0.6, (margin_s, margin_s))
    while position < LONG:
        windows.append(clean(recordings, layout, random, who))
        position += len(windows[-1].wave) + int(random.uniform(3, 5) * RATE)
    return windows


def _print_rates(title: str, transcriber: Transcriber, clips: dict[str, list[Clip]]) -> None:
    """One line: everybody's rate, the share of clips with an error, and each speaker's rate."""
    asked: dict[str | None, list[tuple[str, Clip]]] = defaultdict(list)
    for who, theirs in clips.items():
        for n, clip in enumerate(theirs):
            asked["en" if n % 2 else None].append((who, clip))
    said: dict[str, list[tuple[str, str]]] = {who: [] for who in clips}
    for language, some in asked.items():
        texts = transcriber.texts([clip.wave for _, clip in some], language)
        for (who, clip), text in zip(some, texts, strict=True):
            said[who].append((clip.text, text))
    pairs = list(chain.from_iterable(said.values()))
    words = sum(len(reference.split()) for reference, _ in pairs)
    wrong = sum(reference != text for reference, text in pairs) / len(pairs)
    each = ", ".join(f"{who} {_rate(theirs):.1%}" for who, theirs in said.items())
    print(
        f"{title}: word error rate {_rate(pairs):.2%} of {words} words in {len(pairs)} clips,"
        f" {wrong:.1%} of them with an error; {each}",
        flush=True,
    )


def _rate(pairs: list[tuple[str, str]]) -> float:
    references, texts = zip(*pairs, strict=True)
    return float(jiwer.wer(list(references), list(texts)))


def _print_wordless(transcriber: Transcriber) -> None:
    """How many sounds without words give a text, of 30 s and shorter, at four levels."""
    random = np.random.default_rng(2)
    for kind in WORDLESS:
        clips: list[NDArray[np.float32]] = []
        for level in LEVELS_DB:
            for samples in (WINDOW, WINDOW, int(random.uniform(0.3, 29) * RATE)):
                sound = getattr(sounds, kind)(random, samples)
                clips.append(sound * 10 ** (level / 20))
        texts = [text for language in (None, "en") for text in transcriber.texts(clips, language)]
        heard = [text for text in texts if text]
        examples = [text[:40] for text in heard[:3]]
        print(f"{kind}: {len(heard)} of {len(texts)} give a text {examples or ''}", flush=True)
