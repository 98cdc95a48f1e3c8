"""Estimated times: of segments for a model without times, and of words within a segment.

For a model without times, the text of a window and its regions of speech are known. The words of
each region are estimated: a region's share of the text is about its share of the speech, and
sentences tend to end at pauses. `divide_text` finds the best division that keeps the order.
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


SHORTEST_S = 0.1  # least speech in a region, even if the padding leaves less
WORD_CHARACTERS = 2  # added per word: short words take longer per character
SENTENCE_WORDS = 2.0  # a cut at a sentence's end is worth a misfit of so many words
DRIFT_COST = 0.1  # weight of text that runs ahead of the speech; a region's own misfit is 1


def align_to_regions(
    segment: Segment, regions: Sequence[Span], padding_s: float
) -> tuple[Segment, ...]:
    """Divide the segment into one for each region of speech, in order, with the region's times.

    `padding_s` is the padding in seconds on each side of a region's detected speech. Every region
    gets at least one word if there are enough words; otherwise regions without words are left out.
    Text without spaces is divided where a line may break. The parts keep the segment's confidence
    and have `time_source="speech_region"`. Their words are spread over the region.
    """
    text = one_line(segment.text)
    positions = _unit_positions(text)
    if not positions or not regions:
        return (segment,)
    words = [text[start:end] for start, end in positions]
    ends = divide_text(words, [_speech_s(region, padding_s) for region in regions])
    return tuple(
        _in_region(segment, text[positions[first][0] : positions[last - 1][1]], region)
        for (first, last), region in zip(pairwise([0, *ends]), regions, strict=True)
        if first < last
    )


def divide_text(words: Sequence[str], speech: Sequence[float]) -> list[int]:
    """Return how many words have been spoken by the end of each stretch of speech.

    `speech` contains the lengths of the stretches, which are above zero. The result is the division
    of the lowest cost. If there are enough words, every stretch gets at least one. The cost of a
    stretch is the square of the difference between its share of the speech and the share of
    characters of its words. `_cut_costs` defines the cost of a cut.
    """
    min_words = int(len(words) >= len(speech))  # in each stretch
    text_shares = _shares([len(word) + WORD_CHARACTERS for word in words])
    speech_shares = _shares(speech)
    cut_costs = _cut_costs(words, len(speech))
    cheapest = [0.0] + [float("inf")] * len(
        words
    )  # of dividing the first k words over the stretches so far
    begins_of_stretches = list[list[int]]()  # for each stretch and possible end: the best begin
    for start, end in pairwise(speech_shares):
        cheapest, begins = _add_stretch(cheapest, text_shares, end - start, min_words)
        begins_of_stretches.append(begins)
        cheapest = [
            cost + cut_cost + DRIFT_COST * (share - end) ** 2
            for cost, cut_cost, share in zip(cheapest, cut_costs, text_shares, strict=True)
        ]
    ends = [len(words)]
    for begins in reversed(begins_of_stretches[1:]):
        ends.append(begins[ends[-1]])
    return ends[::-1]


def _add_stretch(
    cheapest: Sequence[float], text_shares: Sequence[float], share: float, min_words: int
) -> tuple[list[float], list[int]]:
    """Return the costs with one more stretch, and where that stretch begins, for each of its ends.

    The cost of a stretch from i to j is (share - text_shares[j] + text_shares[i])**2. With
    x = share - text_shares[j] this is x**2 plus a straight line in x for each i. As j grows, x
    falls and each added line is steeper. So the index of the lowest line never decreases, and each
    line is added and removed at most once.
    """
    costs, begins = [float("inf")] * len(text_shares), [0] * len(text_shares)
    lines = deque[tuple[float, float, int]]()  # slope, height at 0, i: the lowest ones, in order
    for j, text_share in enumerate(text_shares):
        i = j - min_words
        if i >= 0 and cheapest[i] < float("inf"):
            line = (2 * text_shares[i], cheapest[i] + text_shares[i] ** 2, i)
            while len(lines) > 1 and _never_lowest(lines[-2], lines[-1], line):
                lines.pop()
            lines.append(line)
        if lines:
            x = share - text_share
            while len(lines) > 1 and _height(lines[1], x) <= _height(lines[0], x):
                lines.popleft()
            costs[j], begins[j] = x * x + _height(lines[0], x), lines[0][2]
    return costs, begins


def _height(line: tuple[float, float, int], x: float) -> float:
    return line[0] * x + line[1]


def _never_lowest(
    left: tuple[float, float, int], line: tuple[float, float, int], right: tuple[float, float, int]
) -> bool:
    """Return whether `line` is nowhere below both `left` and the steeper `right`."""
    return (left[1] - right[1]) * (line[0] - left[0]) >= (left[1] - line[1]) * (right[0] - left[0])


def _cut_costs(words: Sequence[str], stretches: int) -> list[float]:
    """Return the cost of a cut before each word and after the last; 0 at a sentence's end.

    Elsewhere the cost is that of a misfit of `SENTENCE_WORDS` words on both sides of the cut, but
    never more than half of the words of an average stretch. At the end of a clause it is half.
    """
    misfit = min(SENTENCE_WORDS, len(words) / stretches / 2) / len(words)
    inside = 2 * misfit**2
    between = [
        0.0 if ends_sentence(left, right) else inside / 2 if ends_clause(left) else inside
        for left, right in pairwise(words)
    ]
    return [0.0, *between, 0.0]


def _shares(lengths: Sequence[float]) -> list[float]:
    """Return the share of the total before each length, from 0.0, and at the end, 1.0."""
    edges = list(accumulate(lengths, initial=0.0))
    return [edge / edges[-1] for edge in edges]


def _in_region(segment: Segment, text: str, region: Span) -> Segment:
    start, end = region
    part = replace(segment, text=text, start=start, end=end, words=(), time_source="speech_region")
    return replace(part, words=timed_words(part))


def _speech_s(region: Span, padding_s: float) -> float:
    """Return the seconds of speech in a padded region.

    A detector starts late and stops early, so about half of the padding is speech.
    """
    return max(SHORTEST_S, region[1] - region[0] - padding_s)


def _unit_positions(text: str) -> list[tuple[int, int]]:
    """Return the start and end of each of the text's `units` in it. Between them is only space."""
    positions = list[tuple[int, int]]()
    end = 0
    for unit in units(text):
        start = text.index(unit, end)
        end = start + len(unit)
        positions.append((start, end))
    return positions


def timed_words(segment: Segment) -> tuple[Word, ...]:
    """Return the segment's own words, or else the words of its text with interpolated times.

    The duration of an interpolated word is in proportion to its characters. It has
    `time_source="interpolated"` and no confidence. Text in a script without spaces (Chinese,
    Japanese, Thai …) is split wherever a line may break, mostly into single characters, which are
    shorter than words.
    """
    if segment.words:
        return segment.words
    texts = units(segment.text)
    return tuple(
        Word(text, start, end, time_source="interpolated", channel=segment.channel)
        for text, (start, end) in zip(
            texts, spread_words(texts, segment.start, segment.end), strict=True
        )
    )


def spread_words(texts: Sequence[str], start: float, end: float) -> list[Span]:
    """Return adjoining spans that fill [start, end], in seconds, in proportion to text length."""
    total = sum(map(len, texts))
    # `min`: a rounding error in the last digit must not lead out of the segment.
    lengths = accumulate(map(len, texts))
    edges = [min(end, start + (end - start) * length / total) for length in lengths]
    return list(pairwise([start, *edges[:-1], end])) if texts else []
