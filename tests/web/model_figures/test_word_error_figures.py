"""Word error rates by round, and since when the latest one can be compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from voxgate.ledger.canary_results import CanaryResult
from voxgate.web.model_figures.word_error_figures import LatestWordErrors, word_error_figures

NOW = datetime(2026, 11, 28, 14, 50, tzinfo=UTC)
A, B, SILENT = "local/a", "groq/a", "groq/silent"


def result(
    slug: str, hours: float, errors: int, *, digest: str = "d", reference: int = 100
) -> CanaryResult:
    return CanaryResult(
        endpoint=slug,
        measured_at=NOW - timedelta(hours=hours),
        model="a/b",
        revision=None,
        profile=None,
        digest=digest,
        recordings=3,
        failed=0,
        spoken=3,
        without_text=0,
        errors=errors,
        reference=reference,
        audio_seconds=9.0,
        processing_seconds=1.0,
        cost_nanodollars=None,
    )


def test_a_round_has_the_endpoints_that_were_measured_in_its_hour() -> None:
    results = {
        A: [result(A, 48, 30, digest="other"), result(A, 24, 9), result(A, 0.6, 12)],
        B: [result(B, 24.5, 4), result(B, 24.2, 5)],  # twice in an hour: the last counts
        SILENT: [result(SILENT, 1, 0, reference=0)],  # of recordings without words
        "others/a": [result("others/a", 1, 1)],
    }
    found = word_error_figures(results, [A, B, SILENT, "local/never"])
    assert found.endpoints == (A, B)
    hour = NOW.replace(minute=0)
    assert found.rounds == (
        (hour - timedelta(hours=48), (30.0, None)),
        (hour - timedelta(hours=24), (9.0, 5.0)),
        (hour, (12.0, None)),
    )
    last = NOW - timedelta(hours=0.6)
    assert found.latest[0] == LatestWordErrors(A, 12.0, last, NOW - timedelta(hours=24), 2)


def test_of_nothing_there_is_nothing() -> None:
    found = word_error_figures({}, [A])
    assert (found.endpoints, found.rounds, found.latest) == ((), (), ())
