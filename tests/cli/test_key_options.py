"""What the options of `voxgate keys` mean, without running it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from voxgate.cli.key_options import key_fields
from voxgate.errors import UsageError

OPTIONS = {
    "limit": "--limit",
    "limit_minutes": "--limit-minutes",
    "reset": "--reset",
    "expires": "--expires",
    "models": "--model",
    "rate": "--rate",
    "recordings": "--recordings",
    "keep_transcripts": "--keep-transcripts",
    "labels": "--label",
}
NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)


def parsed(**given: Any) -> dict[str, Any]:
    return dict(key_fields(**{**dict.fromkeys(OPTIONS), **given}))


@pytest.mark.parametrize(
    ("option", "text", "field", "value"),
    [
        ("limit", "5.00", "limit_nanodollars", 5_000_000_000),
        ("limit", "$0.0000000015", "limit_nanodollars", 2),
        ("limit", "0", "limit_nanodollars", 0),
        ("limit_minutes", "600", "limit_samples", 576_000_000),
        ("limit_minutes", "0.5", "limit_samples", 480_000),
        ("reset", "weekly", "reset", "weekly"),
        ("expires", "2027-01-01", "expires_at", NEW_YEAR),
        ("expires", "2027-01-01T02:00:00+02:00", "expires_at", NEW_YEAR),
        ("rate", " 60 ", "requests_per_minute", 60),
        ("recordings", "4", "max_recordings", 4),
        ("keep_transcripts", "30", "keep_transcripts_days", 30),
    ],
)
def test_what_a_text_means(option: str, text: str, field: str, value: object) -> None:
    assert parsed(**{option: text}) == {field: value}
    assert parsed(**{option: "none"}) == {field: None}


def test_models_are_listed_or_all() -> None:
    assert parsed(models=["a", "b"]) == {"allowed_models": ["a", "b"]}
    assert parsed(models=["none"]) == {"allowed_models": None}
    assert parsed(labels=["team=news", "x"]) == {"labels": ["team=news", "x"]}
    assert parsed(labels=["none"]) == {"labels": []}
    assert parsed() == {}


@pytest.mark.parametrize(
    ("option", "text", "expected"),
    [
        *(("limit", text, "dollars, as 5.00") for text in ("", "-1", "nan", "inf", "1e99", "5,5")),
        *(("limit_minutes", text, "minutes, as 600") for text in ("x", "-1", "1000000001")),
        ("reset", "hourly", "daily, weekly or monthly"),
        *(("expires", text, "a date") for text in ("soon", "2027-13-01", "9999-12-31T23:00-12:00")),
        *(("rate", text, "a whole number") for text in ("1.5", "x", "")),
        ("recordings", "1.5", "a whole number"),
        *(("keep_transcripts", text, "a whole number of days") for text in ("0.5", "a month")),
    ],
)
def test_a_text_that_means_nothing_is_refused(option: str, text: str, expected: str) -> None:
    says = f"'{OPTIONS[option]}' is '{text}', and must be {expected}"
    with pytest.raises(UsageError, match=re.escape(says)):
        parsed(**{option: text})
