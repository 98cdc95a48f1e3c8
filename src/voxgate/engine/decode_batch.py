"""`DecodeBatch`: what one pass of the model computes for several sequences of a cache.

Each sequence has a row for its last token. One that has a draft may have more: for the tokens that
come next by the draft, if the model chooses them. How many is decided by what passes cost here and
by how often each draft was right, so that the most tokens a second are expected.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from voxgate.voxtral.sampling import choose_greedily

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from torch import Tensor

    from voxgate.engine.answer_sequence import AnswerSequence
    from voxgate.engine.sequence import WindowSequence
    from voxgate.voxtral.draft_trial import DraftTrial, PassCosts
    from voxgate.voxtral.kv_cache import KVCache
    from voxgate.voxtral.model import Voxtral
    from voxgate.voxtral.resumable import Resumable
    from voxgate.voxtral.sampling import GreedyChoice

    AnySequence = WindowSequence | AnswerSequence

log = logging.getLogger(__name__)


class BatchPlanner:
    """Plans the passes of one model."""

    def __init__(self, model: Voxtral, trial: DraftTrial | None = None) -> None:
        """`trial` is whether drafts are checked; None: `prepare` tries it with the first draft."""
        self._model, self._trial = model, trial

    def prepare(self, sequences: Sequence[AnySequence]) -> Resumable[None]:
        """Try whether drafts are checked, if that is not known and one of the sequences has one."""
        if self._trial is None and any(each.state.agreement for each in sequences):
            self._trial = yield from self._model.draft_trial()
            log.info("%s", self._trial.sentence)

    def plan(self, sequences: Sequence[AnySequence]) -> DecodeBatch:
        """Return the rows that give the most tokens a second, as far as can be expected.

        No draft is checked before `prepare` has ended.
        """
        costs = self._trial.costs if self._trial else None
        if costs is None:
            return DecodeBatch(sequences, [()] * len(sequences))
        proposals = [each.state.propose(costs.most_rows - 1) for each in sequences]
        agreements = [each.state.agreement for each in sequences]
        counts = checked_counts(agreements, list(map(len, proposals)), costs)
        checked = [each[:count] for each, count in zip(proposals, counts, strict=True)]
        return DecodeBatch(sequences, checked)


class DecodedRow(NamedTuple):
    """What a pass computed for one token of a sequence."""

    logits: Tensor  # [vocabulary], of the token that comes next
    greedy: GreedyChoice  # the likeliest of them that may come
    proposed: int | None  # the token of the draft that comes next; None: this row is the last one


class DecodeBatch:
    """The rows of one pass: for each sequence its last token, and tokens of its draft."""

    def __init__(
        self, sequences: Sequence[AnySequence], proposals: Sequence[Sequence[int]]
    ) -> None:
        """Take the tokens of each sequence's draft that are checked, which may be none."""
        self.sequences, self._proposals = sequences, proposals

    @property
    def proposed(self) -> int:
        """How many tokens of drafts it checks."""
        return sum(map(len, self._proposals))

    def compute(self, model: Voxtral, cache: KVCache) -> Resumable[Tensor]:
        """Return the logits [rows, vocabulary]; count the sequences' last tokens in their slots."""
        slots = [each.slot for each in self.sequences]
        if not self.proposed:
            tokens = [each.state.last_token for each in self.sequences]
            return (yield from model.step(cache, slots, tokens))
        rows = {
            each.slot: [each.state.last_token, *proposal]
            for each, proposal in zip(self.sequences, self._proposals, strict=True)
        }
        logits = yield from model.check(cache, rows)
        cache.advance(slots, 1)
        return logits

    def rows(
        self, logits: Tensor, masks: Mapping[AnySequence, Tensor | None]
    ) -> Iterator[tuple[AnySequence, list[DecodedRow]]]:
        """Yield the rows of each sequence that has an entry in `masks`.

        A mask says which tokens may come; None allows all. One that has a mask has no draft.
        """
        by_row = [
            masks.get(each)
            for each, proposal in zip(self.sequences, self._proposals, strict=True)
            for _ in (None, *proposal)
        ]
        greedy = iter(zip(logits, choose_greedily(logits, by_row), strict=True))
        for each, proposal in zip(self.sequences, self._proposals, strict=True):
            decoded = [DecodedRow(*next(greedy), proposed) for proposed in (*proposal, None)]
            if each in masks:
                yield each, decoded


def checked_counts(agreements: Sequence[float], most: Sequence[int], costs: PassCosts) -> list[int]:
    """Return how many tokens of each sequence's draft to check in the next pass.

    Of each, `agreements` is the probability that a token of its draft is right, and `most` how many
    there are. A token counts only if all before it are right. The rows with the largest
    probability come first, as many as give the most tokens a second.
    """
    sequences = len(agreements)
    gains = sorted(
        (
            (agreement**number, index)
            for index, agreement in enumerate(agreements)
            for number in range(1, most[index] + 1)
        ),
        reverse=True,
    )
    room = max(0, costs.most_rows - sequences)
    if not room:
        return [0] * sequences
    tokens, best, best_speed = float(sequences), 0, sequences / costs.of(sequences)
    for count, (gain, _) in enumerate(gains[:room], 1):
        tokens += gain
        speed = tokens / costs.of(sequences + count)
        if speed > best_speed:
            best, best_speed = count, speed
    chosen = [index for _, index in gains[:best]]
    return [chosen.count(index) for index in range(sequences)]
