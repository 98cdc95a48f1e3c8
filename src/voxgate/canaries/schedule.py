"""`CanarySchedule`: sends canaries through the endpoints of a server, again and again."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeAlias

from voxgate.canaries.book import CanaryBook
from voxgate.canaries.measurement import measure
from voxgate.canaries.recordings import find_canaries
from voxgate.errors import LedgerError, UsageError, VoxgateError
from voxgate.installation import Installation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from voxgate.evaluation.pairs import ReferencedRecording
    from voxgate.ledger.canary_results import CanaryResult, CanaryResults
    from voxgate.models.catalogue import ModelSpec
    from voxgate.pipeline.route import SharedProvider
    from voxgate.pipeline.session import Session

    Wait: TypeAlias = Callable[[float], Awaitable[object]]

LIBRARIES = ("jiwer", "whisper_normalizer")
"""Those of the extra `eval` that count errors."""

JITTER = 0.25
"""An interval is up to so much shorter or longer: several servers do not ask together."""

log = logging.getLogger(__name__)


class CanarySchedule:
    """The canaries of one server. Nothing that goes wrong with them ends it.

    An engine of this machine is asked only where it is loaded and callers used it since its last
    canary: a canary loads no model, and does not keep an engine that nobody uses.
    """

    def __init__(self, session: Session, results: CanaryResults) -> None:
        self._session, self._results = session, results
        self._settings, self._health = session.settings, session.endpoints.health
        self.book = CanaryBook(self._health, self._settings.canary_every_s)
        self._attempts: dict[str, int] = {}  # at engines here, when each had its last canary

    @asynccontextmanager
    async def kept(self, wait: Wait = asyncio.sleep) -> AsyncIterator[None]:
        """Send canaries inside the context, where the settings say so; its end ends them at once.

        `wait` is awaited with the seconds before each round.
        """
        if not await self._can_begin():
            yield
            return
        await self._load()
        rounds = asyncio.create_task(self._repeat(wait))
        rounds.add_done_callback(_log_crash)
        try:
            yield
        finally:
            rounds.cancel()
            await asyncio.wait({rounds})

    async def round(self) -> None:
        """Send all canaries through each endpoint that may be asked now, one after the other."""
        await self._load()  # also what other servers measured
        found = await self._find()
        for model in await self._session.list_models() if found else ():
            for endpoint in self._session.endpoints.ready(model):
                if endpoint.capabilities.transcribes and self._is_due(endpoint):
                    await self._send(model, endpoint, found)

    async def _can_begin(self) -> bool:
        """Return whether canaries are wanted and possible; the log says what stands against it."""
        if not self._settings.sends_canaries:
            return False
        if missing := [name for name in LIBRARIES if find_spec(name) is None]:
            command = Installation.find().install_extra("eval")
            log.warning(
                "no canaries are sent: 'canary_every_s' needs %s: `%s`.",
                ", ".join(missing),
                command,
            )
            return False
        await self._find()
        return True

    async def _repeat(self, wait: Wait) -> None:
        while True:
            jitter: float = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 (not a secret)
            await wait(self._settings.canary_every_s * jitter)
            try:
                await self.round()
            except (VoxgateError, OSError) as error:
                log.warning("a round of canaries ended early: %s", error)

    async def _find(self) -> Sequence[ReferencedRecording]:
        """Return the recordings; the log says what is wrong with others."""
        try:
            found = await asyncio.to_thread(find_canaries, self._settings)
        except (UsageError, OSError) as error:
            log.warning("no canaries are sent: %s", error)
            return ()
        for problem in found.problems:
            log.warning("a canary is left out: %s", problem)
        return found.recordings

    def _is_due(self, endpoint: SharedProvider) -> bool:
        if not endpoint.is_local:
            return True
        return self._health.attempts_at(endpoint.slug) > self._attempts.get(endpoint.slug, 0)

    async def _send(
        self,
        model: ModelSpec,
        endpoint: SharedProvider,
        recordings: Sequence[ReferencedRecording],
    ) -> None:
        result = await measure(self._session, model, endpoint, recordings)
        self._attempts[endpoint.slug] = self._health.attempts_at(endpoint.slug)
        if result is None:
            return
        log.info("canaries of %s: %s", endpoint.slug, _told(result))
        try:
            await self._results.add(result)
        except LedgerError as error:
            log.warning("a result of canaries is not kept: %s", error.sentence)
            return
        await self._load()

    async def _load(self) -> None:
        """Judge endpoints by what the ledger has now."""
        try:
            found = await self._results.load()
        except LedgerError as error:
            log.warning("the results of canaries are not known: %s", error.sentence)
            return
        self.book.take(found)


def _told(result: CanaryResult) -> str:
    rate, factor = result.word_error_rate, result.real_time_factor
    spoken = f"{result.spoken - result.without_text} of {result.spoken} with speech have words"
    return ", ".join(
        [
            "no words to compare" if rate is None else f"word error rate {rate:.1%}",
            spoken,
            f"{result.audio_seconds:.1f} s of sound",
            *([] if factor is None else [f"real-time factor {factor:.3f}"]),
            *([f"{result.failed} failed"] if result.failed else []),
        ]
    )


def _log_crash(rounds: asyncio.Task[None]) -> None:
    if not rounds.cancelled() and (error := rounds.exception()):
        log.error("no more canaries are sent: this is a bug.", exc_info=error)
