"""`Charge`: what one generation costs, reserved of its key's budget as its sound comes.

The generation begins in the ledger with the first of its sound, so that beginning and reservation
are one transaction.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from voxgate import split_cost, tracing
from voxgate.errors import LedgerError
from voxgate.ledger.budget import Amount
from voxgate.ledger.budget_exceeded import budget_exceeded
from voxgate.prices import SAMPLES_PER_S
from voxgate.split_cost import PricedPart

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from voxgate.api.job import AnyJob
    from voxgate.ledger.generation import Generation
    from voxgate.ledger.key import Key
    from voxgate.ledger.ledger import Ledger
    from voxgate.pipeline.shares import Shares
    from voxgate.prices import Price


MOST_NANODOLLARS = 2**62
"""The most that is reserved: the ledger adds it to what is spent, in 64 bits. Nobody has it."""


class Charge:
    """The cost of one job's generation. `cover` sound before work is done for it."""

    def __init__(
        self,
        ledger: Ledger,
        job: AnyJob,
        prices: Mapping[str, Price | None],
        shares: Shares,
        key: Key | None,
        *,
        generation: Callable[[], Generation],
        answer_tokens: int = 0,
    ) -> None:
        """Of a key without a budget nothing is reserved.

        `answer_tokens` are the most that an answer may have: what is reserved with the first sound.

        `prices` are those of the providers that may recognise it, by slug; `shares` say which does.
        `generation` is called once, when it begins.
        """
        self._ledger, self._job = ledger, job
        self._prices, self._shares = prices, shares
        self._reserved = Amount()
        self._limited = key is not None and key.budget is not None
        self._in_file = key is not None and key.in_file
        self._generation, self._answer_tokens = generation, answer_tokens
        self._begun = False
        self._early: asyncio.Task[None] | None = None
        self._lock = asyncio.Lock()

    async def begin(self) -> None:
        """Begin the generation, unless it has begun. Raises `LedgerError`."""
        async with self._lock:
            await self._reserve(Amount())

    def begin_early(self) -> None:
        """Begin the generation while its sound is decoded, so that `cover` has nothing to wait for.

        Not where something is reserved: that is one transaction with the beginning.
        """
        if self._early is None and self._holder is None:
            self._early = asyncio.create_task(self._begin_early())

    async def _begin_early(self) -> None:
        with suppress(LedgerError):  # `cover` tries again, and says so
            await self.begin()

    @property
    def _holder(self) -> str | None:
        """The key whose budget it counts towards, by its hash."""
        return self._job.owner if self._limited else None

    async def cover(self, seconds: float) -> None:
        """Reserve what so much of the recording may cost, unless it is reserved already.

        The first time begins the generation, in the same transaction. Raises `VoxgateError`
        (`budget_exceeded`), and `LedgerError`.
        """
        wanted = self._most(seconds)
        if any(self._prices.values()) and self._job.estimate_nanodollars is None:
            self._job.estimate_nanodollars = wanted.nanodollars
        holder = self._holder
        if holder is None:
            await self.begin()
            return
        async with self._lock:
            more = Amount(
                max(0, wanted.nanodollars - self._reserved.nanodollars),
                max(0, wanted.samples - self._reserved.samples),
            )
            if await self._reserve(more):
                self._reserved += more
                return
            budget = await self._ledger.budgets.find(holder)
            if budget and budget.limited:
                rest = bool(self._reserved)
                raise budget_exceeded(budget, more, rest=rest, in_file=self._in_file)
            self._limited = False  # its limits were removed meanwhile

    async def _reserve(self, more: Amount) -> bool:
        """Reserve more, with the generation's beginning if that is to come."""
        if self._begun:
            owner = self._job.owner
            return (
                not more
                or owner is None
                or await self._ledger.budgets.reserve(self._job.id, owner, more)
            )
        self._begun = True  # also for a caller who is cancelled: the write goes on
        try:
            with tracing.span("ledger begin"):
                return await self._ledger.generations.begin(self._generation(), more)
        except LedgerError:
            self._begun = False
            raise

    def of(self, seconds: float, tokens: int) -> Amount:
        """Return the cost of so much decoded sound with so many tokens, those of answers included.

        Without sound and answer it is nothing.
        """
        samples = round(seconds * SAMPLES_PER_S)
        shares = self._shares.until(samples, tokens)
        parts = [
            PricedPart(
                share.samples,
                share.tokens - share.answered,
                self._prices[slug],
                min(share.answered, self._answer_tokens),
            )
            for slug, share in shares.items()
        ]
        return Amount(split_cost.nanodollars(parts), samples)

    def _most(self, seconds: float) -> Amount:
        """Return the most that so much decoded sound can cost, with an answer about it."""
        samples = round(seconds * SAMPLES_PER_S)
        most = split_cost.most_nanodollars(self._prices.values(), samples, self._answer_tokens)
        return Amount(min(most, MOST_NANODOLLARS), samples)
