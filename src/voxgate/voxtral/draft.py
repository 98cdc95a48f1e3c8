"""`Draft`: what a text will probably be, in tokens, and the place in it that the text has reached.

A decoder that has a draft checks several of its tokens in one pass. Nothing here changes what the
model writes: a token that the model would not choose is never accepted.
"""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.voxtral.tokenizer import Tokenizer

REACH = {3: None, 2: 64, 1: 12}
"""How far from the last place, in tokens, so many equal tokens in a row are looked for.

Three of them are hardly anywhere else; a single one, as a comma, is everywhere.
"""

FIRST_AGREEMENT = 0.8  # of another model's words with this one's: it adapts within a few tokens
MEMORY = 8  # tokens after which the agreement has mostly forgotten


class Draft:
    """Token ids of a draft, followed token by token.

    At a difference the place is looked up: the last tokens of the text, three or two or one of
    them, are searched in the draft. Where they are nowhere, one other token is taken to stand in
    the place of the draft's; after a second one nothing is proposed until the place is found again.
    """

    def __init__(self, ids: Sequence[int]) -> None:
        """Take the draft's ids, which may be any."""
        self._ids = tuple(ids)
        self._places = _index(self._ids)
        self._next: int | None = 0  # index of the token that is expected next; None: place unknown
        self._last = 0  # where the next token was expected last
        self._replaced = False  # whether the last token stood in the place of another
        self._end = deque[int](maxlen=max(REACH))  # the last tokens of the text
        self._agreement = FIRST_AGREEMENT

    @classmethod
    def spelled(cls, text: str, tokenizer: Tokenizer) -> Draft:
        """Return the draft of a text, spelled as the model writes it: in words, from the first on.

        A model that begins with a space has other tokens for its first word, and the same for the
        others.
        """
        return cls(tokenizer.encode(" ".join(text.split())))

    @property
    def agreement(self) -> float:
        """The share of the draft's tokens that were right lately, from 0 to 1.

        Each token of the text counts for which the draft had one, whether it was proposed or not.
        """
        return self._agreement

    def propose(self, most: int) -> list[int]:
        """Return the next tokens by the draft, at most so many; none where the place is unknown."""
        if self._next is None or most < 1:
            return []
        return list(self._ids[self._next : self._next + most])

    def follow(self, token: int) -> None:
        """Note the next token of the text, and find the place after it."""
        self._end.append(token)
        expected = None if self._next is None else self._expected(self._next)
        if expected is not None:
            self._agreement += ((token == expected) - self._agreement) / MEMORY
        if self._next is not None and token == expected:
            self._move(self._next + 1)
            self._replaced = False
            return
        found = self._find()
        if found is not None:
            self._move(found)
            self._replaced = False
        elif self._next is not None and not self._replaced:
            self._move(self._next + 1)
            self._replaced = True
        else:
            self._next = None

    def _expected(self, place: int) -> int | None:
        return self._ids[place] if place < len(self._ids) else None

    def _move(self, place: int) -> None:
        self._next = self._last = place

    def _find(self) -> int | None:
        """Return the place after the text's last tokens, the nearest of the longest match."""
        end = tuple(self._end)
        for length, reach in REACH.items():
            places = self._places.get(end[-length:], []) if len(end) >= length else []
            after = bisect(places, self._last)  # a draft may repeat one token thousands of times
            neighbours = places[max(0, after - 1) : after + 1]
            near = min(neighbours, key=lambda place: abs(place - self._last), default=None)
            if near is not None and (reach is None or abs(near - self._last) <= reach):
                return near
        return None


def _index(ids: tuple[int, ...]) -> dict[tuple[int, ...], list[int]]:
    """Return for each few tokens in a row the places after them, in ascending order."""
    places = defaultdict[tuple[int, ...], list[int]](list)
    for length in REACH:
        for start in range(len(ids) - length + 1):
            places[ids[start : start + length]].append(start + length)
    return dict(places)
