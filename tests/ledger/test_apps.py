"""What callers say of their apps, in both databases."""

from voxgate.ledger.apps import AppFacts
from voxgate.ledger.generation import Generation, Outcome
from voxgate.ledger.ledger import Ledger
from voxgate.ledger.usage import MOST_APPS

ENDED = Outcome(200, 5, audio_samples=16_000)


async def use(ledger: Ledger, name: str, key: str | None = None, **app: str) -> None:
    await ledger.generations.begin(Generation(name, key, "a/one", **app))  # type: ignore[arg-type]
    await ledger.generations.finish(name, ENDED)


async def test_what_an_app_said_last_is_known(ledger: Ledger) -> None:
    key, _ = await ledger.keys.create("laptop")
    await use(ledger, "gen-1", app_title="Notes", http_referer="https://old.example")
    said = {"http_referer": "https://notes.example", "app_categories": "voice, notes,"}
    await use(ledger, "gen-2", app_title="Notes", **said)
    await use(ledger, "gen-3", app_title="Notes", **said)
    await use(ledger, "gen-4", app_title="Silent")
    await use(ledger, "gen-5", key.hash, http_referer="https://own.example")
    notes = AppFacts("https://notes.example", ("voice", "notes"))
    own = AppFacts("https://own.example", ())
    names = ["Notes", "Silent", "https://own.example"]
    assert await ledger.apps.find(names) == {"Notes": notes, "https://own.example": own}
    assert await ledger.apps.find(names, key.hash) == {"https://own.example": own}


async def test_of_apps_that_are_not_counted_nothing_is_kept(ledger: Ledger) -> None:
    names = [f"app {number}" for number in range(MOST_APPS + 1)]
    for number, name in enumerate(names):
        await use(ledger, f"gen-{number}", app_title=name, http_referer="https://a.example")
    assert set(await ledger.apps.find(names)) == set(names[:MOST_APPS])
