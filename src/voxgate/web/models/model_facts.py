"""What the head and the overview of a model's page say of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from voxgate.ledger.activity_query import ActivityQuery, today
from voxgate.models.store.names import family_by_alias
from voxgate.models.store.registry import Registry
from voxgate.web.figures import count, dollars, size, sound
from voxgate.web.model_figures.speed_figures import PRICE_DAYS, effective_prices

if TYPE_CHECKING:
    from voxgate.api.gateway import Gateway
    from voxgate.models.capabilities import Capabilities
    from voxgate.models.catalogue import ModelSpec
    from voxgate.settings import Settings
    from voxgate.web.signing.visitor import Visitor

NO_KEY = ""  # of requests without one, in the ledger


def size_text(spec: ModelSpec, settings: Settings) -> str:
    """Return how large a model's files are. Reads the records of models: call it in a thread."""
    if spec.checkpoint is not None:
        records = Registry.open(settings).list()
        own = [record for record in records if record.folder == spec.checkpoint]
        if own:
            return f"{size(own[0].nbytes)} on this server's disk"
    family = family_by_alias(spec.name)
    if spec.loader is None:
        return "unknown: its weights are at its providers"
    return f"{size(family.download_bytes)}, when it is installed" if family else "unknown"


def capability_list(able: Capabilities) -> list[tuple[str, bool]]:
    """Return what a model may be able to do, and whether it is."""
    return [
        ("detect the language", able.detects_language),
        ("name the language", able.names_language),
        ("translate into English", able.translates),
        ("expect your words", able.vocabulary),
        ("tell speakers apart", able.speakers),
        ("stream inside a window", able.streaming),
        ("time words by itself", able.times == "word"),
        ("count tokens", able.counts_tokens),
    ]


async def week_text(gateway: Gateway, model: str, visitor: Visitor) -> str:
    """Return the sound of the last seven days: of everybody for the owner, else of the visitor."""
    if not visitor.signed_in:
        return "sign in to see yours"
    own = None if visitor.manages else (visitor.key.hash if visitor.key else NO_KEY)
    now = today()
    question = ActivityQuery(now - timedelta(days=6), now, key_hash=own, model=model)
    sums = await gateway.ledger.activity.find_sums(question)  # without a grouping: one, or none
    heard = sound(sum(each.audio_samples for each in sums))
    number = sum(each.requests for each in sums)
    requests = "1 request" if number == 1 else f"{count(number)} requests"
    return f"{heard} in {requests}{'' if visitor.manages else ' by your key'}"


async def effective_price_text(gateway: Gateway, model: str) -> str:
    """Return what an hour of its sound was charged with in the last days, at each provider."""
    now = today()
    week = ActivityQuery(
        now - timedelta(days=PRICE_DAYS - 1), now, ("day", "provider"), model=model
    )
    found = effective_prices(await gateway.ledger.activity.find_sums(week), now)
    return "; ".join(
        f"{dollars(each.dollars_per_audio_hour)} per audio hour at {each.provider}"
        for each in found.totals
    )
