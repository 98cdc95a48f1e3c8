"""What endpoints made of canaries, in both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from voxgate.ledger import canary_results
from voxgate.ledger.canary_results import MOST, CanaryResult
from voxgate.ledger.columns import utc_now

if TYPE_CHECKING:
    from voxgate.ledger.ledger import Ledger

RESULT = CanaryResult(
    endpoint="groq/whisper",
    measured_at=utc_now(),
    model="openai/whisper-large-v3",
    revision=None,
    profile=None,
    digest="a" * 64,
    recordings=4,
    failed=1,
    spoken=3,
    without_text=1,
    errors=5,
    reference=40,
    audio_seconds=18.0,
    processing_seconds=4.5,
    cost_nanodollars=9_000_000,
)


def after(minutes: float, **fields: Any) -> CanaryResult:
    measured_at = RESULT.measured_at + timedelta(minutes=minutes)
    return replace(RESULT, measured_at=measured_at, **fields)


async def test_results_are_kept_by_endpoint_in_their_order(ledger: Ledger) -> None:
    assert await ledger.canaries.load() == {}
    local = after(3, endpoint="local/a/b", revision="c0ffee", profile="fast", cost_nanodollars=None)
    for each in (after(2), local, after(1)):
        await ledger.canaries.add(each)
    assert await ledger.canaries.load() == {
        "groq/whisper": [after(1), after(2)],
        "local/a/b": [local],
    }


async def test_one_endpoint_has_so_many_results_whatever_others_have(ledger: Ledger) -> None:
    await ledger.canaries.add(after(0, endpoint="local/a/b"))
    for minute in range(MOST + 2):
        await ledger.canaries.add(after(minute))
    found = await ledger.canaries.load()
    assert found["groq/whisper"] == [after(minute) for minute in range(2, MOST + 2)]
    assert len(found["local/a/b"]) == 1


async def test_what_is_older_than_a_month_is_gone(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ledger.canaries.add(after(0, endpoint="local/a/b"))
    monkeypatch.setattr(canary_results, "utc_now", lambda: utc_now() + timedelta(days=31))
    assert await ledger.canaries.load() == {}
    late = after(31 * 24 * 60)
    await ledger.canaries.add(late)
    monkeypatch.undo()
    assert await ledger.canaries.load() == {"groq/whisper": [late]}


def test_figures_are_of_all_recordings_together() -> None:
    assert RESULT.word_error_rate == 0.125
    assert RESULT.coverage == pytest.approx(2 / 3)
    assert RESULT.real_time_factor == 0.25
    assert RESULT.nanodollars_per_hour == 1_800_000_000
    nothing = replace(RESULT, reference=0, spoken=0, audio_seconds=0.0)
    assert nothing.word_error_rate is nothing.coverage is nothing.real_time_factor is None
    assert nothing.nanodollars_per_hour is None
