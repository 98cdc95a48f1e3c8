"""What callers met of a model whose first endpoint fails, and would have met without the others."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tests.sounds import SAMPLE
from tests.upstreams import faults
from tests.upstreams.faults import always
from tests.upstreams.gateway import MODEL, Clock, Elsewhere, gateway
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.columns import utc_now
from voxgate.ledger.ledger import Ledger

if TYPE_CHECKING:
    from pathlib import Path

SPEECH = SAMPLE.read_bytes()


async def test_recordings_that_another_endpoint_saved_are_counted(tmp_path: Path) -> None:
    begun = utc_now() - timedelta(hours=1)
    two = [Elsewhere("first"), Elsewhere("second")]
    async with gateway(tmp_path, two, clock=Clock()) as elsewhere:
        elsewhere.proxies["first"].script = always(faults.canned(500))
        for number in range(3):
            answer = await elsewhere.post(SPEECH, f"{number}.flac", provider={"order": ["first"]})
            assert answer.status_code == 200, answer.text
        elsewhere.proxies["first"].script = always(None)
        assert (await elsewhere.post(SPEECH, "4.flac", provider={"only": ["first"]})).is_success
        for proxy in elsewhere.proxies.values():
            proxy.script = always(faults.canned(500))
        answer = await elsewhere.post(SPEECH, "5.flac", provider={"order": ["first"]})
        assert answer.status_code >= 500
        nonsense = await elsewhere.post(b"no sound", "6.flac")
        assert nonsense.status_code == 400  # the caller's fault
        found = await elsewhere.server.client.get(f"/models/{MODEL}/uptime")
        home = elsewhere.server.settings.home
    data = found.json()["data"]
    assert data["voxgate"]["saved"] == 3
    told = [each for each in data["buckets"] if each["availability"] is not None]
    assert told, data  # one, or two where an hour ended meanwhile
    if len(told) == 1:
        assert told[0]["availability"] == 80.0
        assert told[0]["availabilityWithoutRouting"] == 20.0
    async with await Ledger.open(home / LEDGER_FILE) as ledger:
        slugs = [each["endpoint"] for each in data["voxgate"]["endpoints"]]
        attempts = await ledger.endpoint_hours.find(slugs, begun)
    first = [count for of, count in attempts.items() if of.endpoint.startswith("first/")]
    assert sum(succeeded for succeeded, _ in first) == 1
    assert sum(failed for _, failed in first) >= 4
