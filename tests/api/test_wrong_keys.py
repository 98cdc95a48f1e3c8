"""Many wrong keys from one address are refused; right keys are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.api.serving import error_of, serving
from voxgate.api.wrong_keys import MAX_ADDRESSES, MOST, PERIOD_S, WrongKeys
from voxgate.errors import BusyError

if TYPE_CHECKING:
    from pathlib import Path


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def allowed(wrong: WrongKeys, address: str, most: int = 10 * MOST) -> int:
    """How many wrong keys are counted before one is refused."""
    for count in range(most):
        try:
            wrong.add(address)
        except BusyError:
            return count
    return most


def test_a_count_drains_evenly() -> None:
    clock = Clock()
    wrong = WrongKeys(clock)
    assert allowed(wrong, "10.0.0.1") == MOST
    assert allowed(wrong, "10.0.0.2") == MOST
    with pytest.raises(BusyError) as refused:
        wrong.add("10.0.0.1")
    assert 0 < refused.value.retry_after_s <= PERIOD_S / MOST
    clock.now += refused.value.retry_after_s
    assert allowed(wrong, "10.0.0.1") == 1
    clock.now += PERIOD_S / 2
    assert allowed(wrong, "10.0.0.1") == MOST // 2
    clock.now += 1e9
    assert allowed(wrong, "10.0.0.1") == MOST


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("2001:db8::1", "2001:db8::ffff:1:2:3", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("10.0.0.1", "10.0.0.2", False),
        ("", "a socket", False),
    ],
)
def test_whose_count_it_is(first: str, second: str, same: bool) -> None:
    wrong = WrongKeys(Clock())
    allowed(wrong, first)
    assert allowed(wrong, second) == (0 if same else MOST)


def test_only_the_latest_addresses_are_remembered() -> None:
    wrong = WrongKeys(Clock())
    assert allowed(wrong, "10.0.0.1") == allowed(wrong, "10.0.0.2") == MOST
    for number in range(MAX_ADDRESSES - 1):
        wrong.add(f"10.1.{number >> 8}.{number & 255}")
    assert len(wrong._counts) == MAX_ADDRESSES
    assert allowed(wrong, "10.0.0.2") == 0
    assert allowed(wrong, "10.0.0.1") == MOST


async def test_the_server_refuses_an_address_and_takes_every_right_key(tmp_path: Path) -> None:
    nobody = {"Authorization": "Bearer sk-vg-nobody"}
    async with serving(tmp_path) as server:
        statuses = [
            (await server.client.get(path, headers=nobody)).status_code
            for path in ("/models", "/generation?id=x") * MOST
        ]
        assert statuses[:MOST] == [401] * MOST
        assert 429 in statuses[MOST:]
        assert set(statuses) == {401, 429}
        refused = await server.client.post("/audio/transcriptions", headers=nobody)
        assert "too many wrong keys" in error_of(refused)["message"]
        assert 1 <= int(refused.headers["retry-after"]) <= PERIOD_S
        assert (await server.client.get("/models")).status_code == 200
        assert (await server.client.get("/models", headers={"Authorization": ""})).is_success
        elsewhere = httpx2.AsyncHTTPTransport(local_address="127.0.0.2")
        async with httpx2.AsyncClient(transport=elsewhere, base_url=f"{server.url}/v1") as other:
            assert (await other.get("/models", headers=nobody)).status_code == 401
            right = {"Authorization": f"Bearer {server.key}"}
            assert (await other.get("/models", headers=right)).status_code == 200
