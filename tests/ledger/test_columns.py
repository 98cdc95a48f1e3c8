import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql

from voxgate.ledger.columns import UtcColumn, storable


@pytest.mark.parametrize(
    ("given", "kept"),
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
def test_what_is_kept_of_a_text(given: str, kept: str) -> None:
    assert storable(given, 20) == kept


@given(st.text(st.characters(codec=None, exclude_categories=())))
def test_every_text_becomes_one_that_utf8_and_postgresql_take(text: str) -> None:
    kept = storable(text, 10)
    assert kept.encode("utf-8").count(0) == 0
    assert len(kept) <= 10
    assert json.loads(json.dumps(kept)) == kept
    assert storable(kept, 10) == kept


def test_times_come_back_in_utc_whatever_zone_the_database_uses() -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    elsewhere = noon.astimezone(timezone(timedelta(hours=5)))
    column, dialect = UtcColumn(), postgresql.dialect()  # type: ignore[no-untyped-call]
    for back in (elsewhere, noon, noon.replace(tzinfo=None)):
        found = column.process_result_value(back, dialect)
        assert found == noon
        assert found.tzinfo is UTC
    sent = column.process_bind_param(elsewhere, dialect)
    assert sent is not None
    assert (sent.hour, sent.tzinfo) == (12, UTC)
