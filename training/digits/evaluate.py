"""Evaluate a checkpoint: word error rates, and text for sounds without words.

All clips run through the processor and `generate` of transformers, in windows of 30 s.
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
"""Samples of each speaker's long recording."""

MARGIN = RATE // 5
"""Samples around speech that Voxgate keeps in a window."""

ANYWHERE = ((0.05, LONGEST_LEAD_S), 3.5, (0.05, 30.0))
"""Lead-in, longest pause and tail of clips with speech anywhere, in seconds."""

WORDLESS = ("silence", "noise", "hum", "tone", "chord")
LEVELS_DB = (-1, -20, -40, -60)


def report(
    checkpoint: Path, names: Sequence[str] | None, count: int, *, all_takes: bool = False
) -> None:
    """Print the word error rates of takes that were not used in training."""
    takes = ALL_TAKES if all_takes else TEST_TAKES
    recordings = Recordings.load(names or speakers(), takes)
    transcriber = Transcriber(checkpoint)
    strings, singles, anywhere = Layout(1, 8), Layout(1, 1), Layout(1, 8, *ANYWHERE)
    for title, layout, number in (
        ("1 to 8 digits", strings, count),
        ("one digit", singles, count),
        ("anywhere in the window", anywhere, count // 2),
    ):
        random = np.random.default_rng(1)
        per_speaker = -(-number // len(recordings.speakers))
        clips = {
            speaker: [clean(recordings, layout, random, speaker) for _ in range(per_speaker)]
            for speaker in recordings.speakers
        }
        _print_rates(title, transcriber, clips)
    random = np.random.default_rng(1)
    long = {speaker: _long(recordings, random, speaker) for speaker in recordings.speakers}
    _print_rates("three minutes each", transcriber, long)
    _print_wordless(transcriber)


def _long(recordings: Recordings, random: Generator, speaker: str) -> list[Clip]:
    """Return the windows of a long recording: sequences of digits, 3 to 5 s apart."""
    windows: list[Clip] = []
    position = 0
    margin_s = MARGIN / RATE
    layout = Layout(1, 8, (margin_s, margin_s), 0.6, (margin_s, margin_s))
    while position < LONG:
        windows.append(clean(recordings, layout, random, speaker))
        position += len(windows[-1].wave) + int(random.uniform(3, 5) * RATE)
    return windows


def _print_rates(title: str, transcriber: Transcriber, clips: dict[str, list[Clip]]) -> None:
    """Print the rate of all, the share of clips with an error, and each speaker's rate."""
    by_language: dict[str | None, list[tuple[str, Clip]]] = defaultdict(list)
    for speaker, speaker_clips in clips.items():
        for n, clip in enumerate(speaker_clips):
            by_language["en" if n % 2 else None].append((speaker, clip))
    pairs_of: dict[str, list[tuple[str, str]]] = {speaker: [] for speaker in clips}
    for language, group in by_language.items():
        texts = transcriber.texts([clip.wave for _, clip in group], language)
        for (speaker, clip), text in zip(group, texts, strict=True):
            pairs_of[speaker].append((clip.text, text))
    pairs = list(chain.from_iterable(pairs_of.values()))
    words = sum(len(reference.split()) for reference, _ in pairs)
    wrong = sum(reference != text for reference, text in pairs) / len(pairs)
    each = ", ".join(
        f"{speaker} {_rate(speaker_pairs):.1%}" for speaker, speaker_pairs in pairs_of.items()
    )
    print(
        f"{title}: word error rate {_rate(pairs):.2%} of {words} words in {len(pairs)} clips,"
        f" {wrong:.1%} of them with an error; {each}",
        flush=True,
    )


def _rate(pairs: list[tuple[str, str]]) -> float:
    references, texts = zip(*pairs, strict=True)
    return float(jiwer.wer(list(references), list(texts)))


def _print_wordless(transcriber: Transcriber) -> None:
    """Print how many sounds without words give a text: 30 s and shorter, at four levels."""
    random = np.random.default_rng(2)
    for kind in WORDLESS:
        clips: list[NDArray[np.float32]] = []
        for level in LEVELS_DB:
            for samples in (WINDOW, WINDOW, int(random.uniform(0.3, 29) * RATE)):
                sound = getattr(sounds, kind)(random, samples)
                clips.append(sound * 10 ** (level / 20))
        texts = [text for language in (None, "en") for text in transcriber.texts(clips, language)]
        nonempty = [text for text in texts if text]
        examples = [text[:40] for text in nonempty[:3]]
        print(f"{kind}: {len(nonempty)} of {len(texts)} give a text {examples or ''}", flush=True)
