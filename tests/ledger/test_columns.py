import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from voxgate.ledger.columns import UtcColumn, storable_text


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("plain", "plain"),
        ("", ""),
        ("a\0b", "a\ufffdb"),
        ("\ud800", "\ufffd"),
        ("\udc00x", "\ufffdx"),
        ("a\ud800b", "a\ufffdb"),
        ("\ud83d\ude00", "😀"),
        ("\ufeffmark", "\ufeffmark"),
        ("tabs\tand\nlines", "tabs\tand\nlines"),
        pytest.param("x" * 10_000_000, "x" * 20, id="long"),
    ],
)
def test_text_is_clipped_and_cleaned(text: str, stored: str) -> None:
    assert storable_text(text, 20) == stored


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_any_text_becomes_valid_for_utf8_and_postgresql(text: str) -> None:
    stored = storable_text(text, 10)
    assert stored.encode("utf-8").count(0) == 0
    assert len(stored) <= 10
    assert json.loads(json.dumps(stored)) == stored
    assert storable_text(stored, 10) == stored


def test_times_are_read_in_utc_for_any_zone_of_the_database() -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    other_zone = noon.astimezone(timezone(timedelta(hours=5)))
    column, dialect = UtcColumn(), postgresql.dialect()  # type: ignore[no-untyped-call]
    for stored in (other_zone, noon, noon.replace(tzinfo=None)):
        time = column.process_result_value(stored, dialect)
        assert time == noon
        assert time.tzinfo is UTC
    sent = column.process_bind_param(other_zone, dialect)
    assert sent is not None
    assert (sent.hour, sent.tzinfo) == (12, UTC)
