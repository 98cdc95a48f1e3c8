"""The keys of an upstream: which is used, which rests, and that none is ever shown."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.failures import raises
from tests.providers.upstream.asking import endpoint
from voxgate.errors import UpstreamError
from voxgate.providers.upstream.keys import DENIED_S, KeyRing

if TYPE_CHECKING:
    from pathlib import Path


class Clock:
    """Seconds that pass when the test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def _values(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "ABC":
        monkeypatch.setenv(f"{name}_KEY", f"secret-{name}")


def ring(clock: Clock, *references: str) -> KeyRing:
    return KeyRing(replace(endpoint().upstream, keys=references), clock)


def values(keys: KeyRing) -> list[str | None]:
    return [key.value for key in keys.usable()]


THREE = ("env:A_KEY", "env:B_KEY", "env:C_KEY")


def test_keys_take_turns(clock: Clock) -> None:
    keys = ring(clock, *THREE)
    assert [values(keys)[0] for _ in range(4)] == ["secret-A", "secret-B", "secret-C", "secret-A"]
    keys.check()  # takes no turn
    assert values(keys) == ["secret-B", "secret-C", "secret-A"]


def test_an_upstream_without_keys_is_asked_without(clock: Clock) -> None:
    assert values(ring(clock)) == [None]


@pytest.mark.parametrize("status", [401, 402])
def test_a_denied_key_rests_for_five_minutes(clock: Clock, status: int) -> None:
    keys = ring(clock, *THREE[:2])
    assert keys.refused(keys.usable()[0], status, None) == DENIED_S == 300
    assert values(keys) == values(keys) == ["secret-B"]
    clock.now += DENIED_S
    assert sorted(map(str, values(keys))) == ["secret-A", "secret-B"]


def test_how_long_keys_rest_is_known_without_the_keys(clock: Clock) -> None:
    keys = ring(clock, *THREE)
    assert keys.rests_s == []
    first, second, _ = keys.usable()
    keys.refused(first, 401, None)
    keys.refused(second, 429, 7.0)
    clock.now += 2.0
    assert keys.rests_s == [5.0, DENIED_S - 2.0]
    clock.now += 5.0
    assert keys.rests_s == [DENIED_S - 7.0]


def test_a_denied_key_rests_until_it_is_changed(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = ring(clock, "env:A_KEY")
    keys.refused(keys.usable()[0], 401, None)
    with raises("upstream_denied", match="somewhere refused every key .* at most 5 minutes"):
        keys.usable()
    monkeypatch.setenv("A_KEY", "another")
    assert values(keys) == ["another"]


def test_a_limited_key_rests_as_long_as_it_is_told(clock: Clock) -> None:
    keys = ring(clock, *THREE[:2])
    first, second = keys.usable()
    assert keys.refused(first, 429, 20.0) == 20.0
    assert keys.refused(second, 429, 9e9) == 300.0
    with raises(
        "upstream_rate_limited", match=r"somewhere takes no more requests for 20\.0 s"
    ) as no:
        keys.check()
    assert isinstance(no.value, UpstreamError)
    assert no.value.retry_after_s == 20.0
    clock.now += 20
    assert values(keys) == ["secret-A"]


def test_limits_that_say_nothing_double_until_a_success(clock: Clock) -> None:
    keys = ring(clock, "env:A_KEY")
    rests = []
    for _ in range(11):
        (key,) = keys.usable()
        rest_s = keys.refused(key, 429, None)
        assert rest_s is not None
        rests.append(rest_s)
        clock.now += rest_s
    assert rests == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    keys.succeeded(keys.usable()[0])
    assert keys.refused(keys.usable()[0], 429, None) == 1


def test_requests_that_were_in_flight_at_once_count_once(clock: Clock) -> None:
    keys = ring(clock, "env:A_KEY")
    (key,) = keys.usable()
    assert [keys.refused(key, 429, None) for _ in range(3)] == [1, 1, 1]
    keys.succeeded(key)  # of a fourth
    with raises("upstream_rate_limited", match=r"for 1\.0 s"):
        keys.usable()
    clock.now += 1
    assert keys.refused(keys.usable()[0], 429, None) == 2


@pytest.mark.parametrize(
    ("first", "second"), [((429, 60.0), (429, 2.0)), ((401, None), (429, 2.0))]
)
def test_the_longest_rest_counts(
    clock: Clock, first: tuple[int, float | None], second: tuple[int, float | None]
) -> None:
    keys = ring(clock, "env:A_KEY")
    (key,) = keys.usable()
    keys.refused(key, *first)
    keys.refused(key, *second)
    clock.now += 59
    with raises("upstream_denied" if first[0] == 401 else "upstream_rate_limited"):
        keys.usable()


@pytest.mark.parametrize("status", [200, 400, 403, 500])
def test_other_statuses_are_not_about_the_key(clock: Clock, status: int) -> None:
    keys = ring(clock, "env:A_KEY")
    assert keys.refused(keys.usable()[0], status, 5.0) is None
    assert values(keys) == ["secret-A"]


def test_a_limit_counts_more_than_a_denial(clock: Clock) -> None:
    """Because a retry helps after it."""
    keys = ring(clock, *THREE[:2])
    first, second = keys.usable()
    keys.refused(first, 429, 3.0)
    keys.refused(second, 401, None)
    with raises("upstream_rate_limited"):
        keys.check()


def test_a_file_is_read_when_it_is_used(clock: Clock, tmp_path: Path) -> None:
    file = tmp_path / "key"
    keys = ring(clock, f"file:{file}")
    with raises("upstream_denied", match=r"No key for somewhere can be used: .*key cannot be read"):
        keys.usable()
    file.write_text("  secret-1\n")
    assert values(keys) == ["secret-1"]
    file.write_text("secret-2")
    assert values(keys) == ["secret-2"]


@pytest.mark.parametrize("text", ["", " \n", "two words", "na\u00efve", "a\x00b", "x" * 5000])
def test_what_is_no_key_is_named_by_its_place(
    clock: Clock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    text: str,
) -> None:
    file = tmp_path / "key"
    file.write_text(text)
    monkeypatch.delenv("A_KEY")
    keys = ring(clock, "env:A_KEY", f"file:{file}", "env:B_KEY")
    assert values(keys) == values(keys) == ["secret-B"]
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "a key of somewhere is not used"
    ] * 2
    monkeypatch.delenv("B_KEY")
    with raises("upstream_denied", match=f"the variable A_KEY has no key; the file {file} ") as no:
        keys.usable()
    assert str(tmp_path) not in no.value.public_sentence
    assert "words" not in no.value.sentence


def test_a_binary_file_is_no_key(clock: Clock, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"\xff\xfe")
    with raises("upstream_denied", match="has no key"):
        ring(clock, f"file:{file}").usable()


def test_a_key_is_in_no_representation(clock: Clock) -> None:
    keys = ring(clock, *THREE)
    used = keys.usable()
    keys.refused(used[0], 401, None)
    assert "secret" not in repr(used) + repr(keys) + repr(vars(keys))


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("no secret-A here", "no [key] here"),
        ("no secret-B, yes", "no [key], yes"),
        ("a secret, cut: secret-", "a secret, cut: secret-"),  # seven characters tell nothing
        ("all is well", "all is well"),
    ],
)
def test_keys_are_hidden_in_what_a_server_says(clock: Clock, said: str, shown: str) -> None:
    assert ring(clock, *THREE).hide(said) == shown


def test_parts_of_a_long_key_are_hidden(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "sk-proj-0123456789abcdef")
    keys = ring(clock, "env:A_KEY", "env:GONE")
    assert keys.hide("key sk-proj-0123***cdef, 456789abcdef") == "key [key]***cdef, [key]"


def test_a_changed_key_is_still_hidden(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer may come after the change."""
    keys = ring(clock, "env:A_KEY")
    keys.refused(keys.usable()[0], 401, None)
    monkeypatch.setenv("A_KEY", "another")
    assert keys.hide("neither secret-A nor another") == "neither [key] nor [key]"
