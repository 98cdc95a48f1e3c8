"""What a request sends to the database: so many statements, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.serving import recording, serving
from tests.api.test_charges import PRICES, limit, utterances
from tests.ledger.statements import sent

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.ledger.address import Address


def short(statement: str) -> str:
    """Return its verb and its first table."""
    words = statement.split()
    before = {"SELECT": "FROM", "INSERT": "INTO", "UPDATE": "UPDATE"}[words[0]]
    return f"{words[0]} {words[words.index(before) + 1]}"


@pytest.mark.parametrize("limited", [False, True])
async def test_the_statements_of_a_request(tmp_path: Path, address: Address, limited: bool) -> None:
    url = "" if address.path else address.url.render_as_string(hide_password=False)
    async with serving(tmp_path, prices=PRICES, database_url=url) as server:
        if limited:
            await limit(server, nanodollars=10**9)
        await server.post(recording())
        with sent() as statements:
            answer = await server.post(recording(utterances(3)))
    assert answer.status_code == 200
    found = [short(each) for each in statements]
    if "UPDATE keys" in found:  # the first request's: its last use is written in the background
        found.remove("UPDATE keys")
    budget = ["UPDATE budgets"] if limited else []
    assert found == [
        *("SELECT keys", "INSERT generations", *budget),  # before its work
        # A key without a limit may have had one, and what it spends counts when it has one again.
        *("UPDATE generations", "UPDATE budgets", "INSERT usage_days", "INSERT usage_histograms"),
        "INSERT usage_hours",
    ]
