"""Times for a model that has none: a window's text divided over the speech that was found in it.

Where somebody speaks is known, and what was said. Which words belong to which region is guessed:
each region takes about as large a part of the text as it has of the speech, and sentences end at
pauses rather than elsewhere. Of all divisions in order, the one that fits best is found.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

from voxgate.transcript.text import ends_clause, ends_sentence, one_line, units
from voxgate.transcript.values import Word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.transcript.spans import Span
    from voxgate.transcript.values import Segment


SHORTEST_S = 0.1  # of speech in a region, however little its padding leaves
WORD_CHARACTERS = 2  # what a word takes beside its letters: short ones are said more slowly
SENTENCE_WORDS = 2.0  # so many words too many on one side of a cut are worth a sentence's end there
DRIFT_COST = 0.1  # what a text that runs ahead of the speech costs, beside a region's own misfit


def align_to_regions(
    segment: Segment, regions: Sequence[Span], padding_s: float
) -> tuple[Segment, ...]:
    """The segment as one for each region that has words of it, in order, at the region's times.

    `padding_s` is what a region has on either side beside detected speech. Every region gets a word
    where there are as many; text without spaces is divided where a line may be broken. All keep the
    segment's confidence and are `time_source="speech_region"`; their words are spread within.
    """
    text = one_line(segment.text)
    places = _places(text)
    if not places or not regions:
        return (segment,)
    words = [text[start:end] for start, end in places]
    ends = divide_text(words, [_speech_s(region, padding_s) for region in regions])
    return tuple(
        _spoken(segment, text[places[first][0] : places[last - 1][1]], region)
        for (first, last), region in zip(pairwise([0, *ends]), regions, strict=True)
        if first < last
    )


def divide_text(words: Sequence[str], speech: Sequence[float]) -> list[int]:
    """How many of the words have been said by the end of each stretch of speech.

    Of all divisions that leave no stretch without a word, if there are enough, the cheapest. A
    stretch costs the square of what its share of the speech differs from its words' share of the
    characters; a cut costs as `_cut_costs` says. `speech` is the stretches' lengths, above zero.
    """
    least = int(len(words) >= len(speech))
    said, spoken = _shares([len(word) + WORD_CHARACTERS for word in words]), _shares(speech)
    sentences = _cut_costs(words, len(speech))
    cheapest = [0.0] + [float("inf")] * len(words)  # of the first words, on the stretches so far
    came = list[list[int]]()  # for each stretch and end: where the stretch begins then
    for start, end in pairwise(spoken):
        cheapest, begins = _extended(cheapest, said, end - start, least)
        came.append(begins)
        cheapest = [
            cost + sentence + DRIFT_COST * (share - end) ** 2
            for cost, sentence, share in zip(cheapest, sentences, said, strict=True)
        ]
    ends = [len(words)]
    for begins in reversed(came[1:]):
        ends.append(begins[ends[-1]])
    return ends[::-1]


def _extended(
    cheapest: Sequence[float], said: Sequence[float], share: float, least: int
) -> tuple[list[float], list[int]]:
    """What the divisions cost with one stretch more, and where that one begins in each.

    From i to j it costs (share - said[j] + said[i])**2: in x = share - said[j], x**2 and a straight
    line for each i. As j grows, x falls and the lines that are added are ever steeper, so the
    lowest line moves one way only, and no line is looked at twice.
    """
    costs, begins = [float("inf")] * len(said), [0] * len(said)
    lines = deque[tuple[float, float, int]]()  # slope, height at 0, i: the lowest ones, in order
    for j, done in enumerate(said):
        i = j - least
        if i >= 0 and cheapest[i] < float("inf"):
            line = (2 * said[i], cheapest[i] + said[i] ** 2, i)
            while len(lines) > 1 and _never_lowest(lines[-2], lines[-1], line):
                lines.pop()
            lines.append(line)
        if lines:
            x = share - done
            while len(lines) > 1 and _at(lines[1], x) <= _at(lines[0], x):
                lines.popleft()
            costs[j], begins[j] = x * x + _at(lines[0], x), lines[0][2]
    return costs, begins


def _at(line: tuple[float, float, int], x: float) -> float:
    return line[0] * x + line[1]


def _never_lowest(
    left: tuple[float, float, int], line: tuple[float, float, int], right: tuple[float, float, int]
) -> bool:
    """Whether the steeper `right` is below `left` before the line between them ever is."""
    return (left[1] - right[1]) * (line[0] - left[0]) >= (left[1] - line[1]) * (right[0] - left[0])


def _cut_costs(words: Sequence[str], stretches: int) -> list[float]:
    """What a cut before each word costs, and one after the last: nothing at a sentence's end.

    Elsewhere as much as the misfit, on both of its sides, that is worth a sentence's end: never
    more than half of the words of an average stretch.
    """
    worth = min(SENTENCE_WORDS, len(words) / stretches / 2) / len(words)
    inside = 2 * worth**2
    between = [
        0.0 if ends_sentence(left, right) else inside / 2 if ends_clause(left) else inside
        for left, right in pairwise(words)
    ]
    return [0.0, *between, 0.0]


def _shares(lengths: Sequence[float]) -> list[float]:
    """How much of the whole has gone by before each, and at the end."""
    edges = list(accumulate(lengths, initial=0.0))
    return [edge / edges[-1] for edge in edges]


def _spoken(segment: Segment, text: str, region: Span) -> Segment:
    start, end = region
    part = replace(segment, text=text, start=start, end=end, words=(), time_source="speech_region")
    return replace(part, words=timed_words(part))


def _speech_s(region: Span, padding_s: float) -> float:
    """A detector hears speech late and lets go of it early: about half of the padding is speech."""
    return max(SHORTEST_S, region[1] - region[0] - padding_s)


def _places(text: str) -> list[tuple[int, int]]:
    """Where each of the text's smallest parts stands in it; what lies between is space."""
    places = list[tuple[int, int]]()
    end = 0
    for unit in units(text):
        start = text.index(unit, end)
        end = start + len(unit)
        places.append((start, end))
    return places


# Words where the provider timed none: guesses between a segment's two times, marked as such.


def timed_words(segment: Segment) -> tuple[Word, ...]:
    """The segment's own words, or else those of its text, spread over it.

    Each gets time in proportion to its characters, `time_source="interpolated"` and no confidence.
    Text in a script without spaces (Chinese, Japanese, Thai …) is divided into the smallest parts
    that a line may be broken between, mostly single characters, which is finer than words.
    """
    if segment.words:
        return segment.words
    texts = units(segment.text)
    return tuple(
        Word(text, start, end, time_source="interpolated")
        for text, (start, end) in zip(
            texts, spread_words(texts, segment.start, segment.end), strict=True
        )
    )


def spread_words(texts: Sequence[str], start: float, end: float) -> list[Span]:
    """Adjoining spans that fill [start, end], in seconds, in proportion to the texts' lengths."""
    total = sum(map(len, texts))
    # `min`: a rounding error in the last place must not leave the segment.
    edges = [min(end, start + (end - start) * done / total) for done in accumulate(map(len, texts))]
    return list(pairwise([start, *edges[:-1], end])) if texts else []
