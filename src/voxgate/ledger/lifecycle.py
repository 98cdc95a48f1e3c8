"""How generations begin and end, in the caller's transaction: any number of them at once.

Rows are locked in one order everywhere, so that no deadlock is possible: generations by their ids,
then budgets by their keys, then sums, histograms, hours and apps, then transcripts.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, case, insert, update

from voxgate.ledger.apps import note_apps
from voxgate.ledger.budget import Amount
from voxgate.ledger.budgets import reserve_each, settle
from voxgate.ledger.columns import utc_now
from voxgate.ledger.generation import AnsweredBy, Generation, Outcome, RecordedAttempt
from voxgate.ledger.schema import generations_table
from voxgate.ledger.transcripts import keep_transcripts
from voxgate.ledger.usage import add_usage
from voxgate.ledger.usage_hours import add_hours
from voxgate.prices import SAMPLES_PER_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from sqlalchemy import Case, Connection

LEASE = timedelta(seconds=60)
"""How long a generation counts as under way without a heartbeat of its server."""

_COLUMNS = generations_table.c
_INSERT = insert(generations_table)
_RESERVE_NOTHING = (
    update(generations_table)
    .where(_COLUMNS.id == bindparam("refused"))
    .values(reserved_nanodollars=0, reserved_samples=0)
)
_OF_OUTCOME = (
    *("finished_at", "lease_until", "status", "latency_ms", "generation_time_ms", "error_code"),
    *("error_message", "audio_samples", "audio_seconds", "tokens", "first_text_ms"),
    *("cost_nanodollars", "cancelled", "attempts", "prompt_tokens", "finish_reason"),
)
_NOBODY_ANSWERED = bindparam("new_provider", type_=_COLUMNS.provider.type).is_(None)


def _answered(name: str) -> Case[Any]:
    """Return the new value of a column about who answered: the old one where nobody did."""
    column = _COLUMNS[name]
    new = bindparam(f"new_{name}", type_=column.type)
    return case((_NOBODY_ANSWERED, column), else_=new)


_END = (
    update(generations_table)
    .where(_COLUMNS.id == bindparam("ended"), _COLUMNS.finished_at.is_(None))
    .values(
        **{name: bindparam(f"new_{name}") for name in _OF_OUTCOME},
        **{name: _answered(name) for name in ("provider", "model", "revision", "profile")},
    )
    .returning(generations_table)
)


@dataclass(frozen=True, slots=True)
class Beginning:
    """A generation that begins, and what is wanted of its key's budget."""

    generation: Generation
    wanted: Amount


@dataclass(frozen=True, slots=True)
class Ending:
    """How the generation with this id ended."""

    id: str
    outcome: Outcome


def record_generations(connection: Connection, changes: Sequence[Beginning | Ending]) -> list[bool]:
    """Begin generations, and end others: charge their keys, and add them to the sums.

    Return of a beginning whether the amount that it wants was left of its key's budget: it has
    begun in any case, else with nothing reserved. Return of an ending whether it was the first.
    """
    beginnings = {n: each for n, each in enumerate(changes) if isinstance(each, Beginning)}
    endings = {n: each for n, each in enumerate(changes) if isinstance(each, Ending)}
    _insert(connection, list(beginnings.values()))
    ended = _end(connection, endings)
    outcomes = {number: endings[number].outcome for number in ended}
    refused = _change_budgets(connection, beginnings, ended, outcomes)
    if refused:  # after the budgets, but nobody else sees these rows yet
        ids = sorted(beginnings[number].generation.id for number in refused)
        connection.execute(_RESERVE_NOTHING, [{"refused": id_} for id_ in ids])
    apps = add_usage(connection, list(ended.values()))
    add_hours(connection, [(each, outcomes[n].met) for n, each in ended.items()])
    note_apps(connection, list(zip(ended.values(), apps, strict=True)))
    keep_transcripts(connection, [(each, outcomes[n].transcript) for n, each in ended.items()])
    return [n in ended or (n in beginnings and n not in refused) for n in range(len(changes))]


def _insert(connection: Connection, beginnings: Sequence[Beginning]) -> None:
    lease_until = utc_now() + LEASE
    rows = [_row(each.generation, each.wanted, lease_until) for each in beginnings]
    if rows:
        connection.execute(_INSERT, rows)


def _end(connection: Connection, endings: Mapping[int, Ending]) -> dict[int, Generation]:
    """Store outcomes. Return the generations that had not ended before, by the same numbers."""
    now, ended = utc_now(), dict[int, Generation]()
    for number, ending in sorted(endings.items(), key=lambda numbered: numbered[1].id):
        values = _values(ending.id, ending.outcome, now)
        row = connection.execute(_END, values).mappings().one_or_none()
        if row is not None:
            ended[number] = generation_of(row)
    return ended


def _change_budgets(
    connection: Connection,
    beginnings: Mapping[int, Beginning],
    ended: Mapping[int, Generation],
    outcomes: Mapping[int, Outcome],
) -> set[int]:
    """Charge for what ended, then reserve for what begins. Return for which it was not left."""
    costs, freed = defaultdict[str, Amount](Amount), defaultdict[str, Amount](Amount)
    for number, generation in ended.items():
        cost = outcomes[number].cost
        reserved = Amount(generation.reserved_nanodollars, generation.reserved_samples)
        if generation.key_hash is not None and (cost or reserved):
            costs[generation.key_hash] += cost
            freed[generation.key_hash] += reserved
    wanting = defaultdict[str, list[int]](list)
    for number, beginning in beginnings.items():
        if beginning.wanted and beginning.generation.key_hash is not None:
            wanting[beginning.generation.key_hash].append(number)
    refused = set[int]()
    for key_hash in sorted({*costs, *wanting}):
        if key_hash in costs:
            settle(connection, key_hash, cost=costs[key_hash], reserved=freed[key_hash])
        numbers = wanting.get(key_hash, [])
        amounts = [beginnings[number].wanted for number in numbers]
        left = reserve_each(connection, key_hash, amounts) if amounts else []
        refused |= {number for number, is_left in zip(numbers, left, strict=True) if not is_left}
    return refused


def generation_of(row: Mapping[Any, Any]) -> Generation:
    """Return the generation that a row of the table is."""
    attempts = tuple(RecordedAttempt(**attempt) for attempt in row["attempts"])
    return Generation(**{**row, "attempts": attempts})


def _row(generation: Generation, wanted: Amount, lease_until: datetime) -> dict[str, Any]:
    return {
        **{name: getattr(generation, name) for name in _COLUMNS.keys()},  # noqa: SIM118
        "attempts": [asdict(attempt) for attempt in generation.attempts],
        "reserved_nanodollars": wanted.nanodollars,
        "reserved_samples": wanted.samples,
        "lease_until": lease_until if generation.finished_at is None else None,
    }


def _answer(answered_by: AnsweredBy | None) -> dict[str, str | None]:
    given = asdict(answered_by) if answered_by else {}
    return {f"new_{name}": given.get(name) for name in ("provider", "model", "revision", "profile")}


def _values(id_: str, outcome: Outcome, now: datetime) -> dict[str, Any]:
    samples = outcome.audio_samples
    return {
        "ended": id_,
        "new_finished_at": now,
        "new_lease_until": None,
        "new_status": outcome.status,
        "new_latency_ms": outcome.latency_ms,
        "new_generation_time_ms": outcome.generation_time_ms,
        "new_error_code": outcome.error_code,
        "new_error_message": outcome.error_message,
        "new_audio_samples": samples,
        "new_audio_seconds": samples and samples / SAMPLES_PER_S,
        "new_tokens": outcome.tokens,
        "new_prompt_tokens": outcome.prompt_tokens,
        "new_finish_reason": outcome.finish_reason,
        "new_first_text_ms": outcome.first_text_ms,
        "new_cost_nanodollars": outcome.cost.nanodollars,
        "new_cancelled": outcome.cancelled,
        "new_attempts": [asdict(attempt) for attempt in outcome.attempts],
        **_answer(outcome.answered_by),
    }
