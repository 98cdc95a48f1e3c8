"""How generations begin and end, in the caller's transaction: any number of them at once.

Rows are locked in one order everywhere, so that no deadlock is possible: generations by their ids,
then budgets by their keys, then sums, histograms, hours and apps, then transcripts.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict
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


def begin_generations(
    connection: Connection, beginnings: Sequence[tuple[Generation, Amount]]
) -> list[bool]:
    """Insert generations, and reserve the amounts of their keys' budgets.

    Return for which the amount was left. The others have begun, too, with nothing reserved.
    """
    lease_until = utc_now() + LEASE
    connection.execute(_INSERT, [_row(*each, lease_until) for each in beginnings])
    by_key = defaultdict[str, list[int]](list)
    for number, (generation, wanted) in enumerate(beginnings):
        if wanted and generation.key_hash is not None:
            by_key[generation.key_hash].append(number)
    left = [True] * len(beginnings)
    for key_hash, numbers in sorted(by_key.items()):
        amounts = [beginnings[number][1] for number in numbers]
        found = reserve_each(connection, key_hash, amounts)
        for number, is_left in zip(numbers, found, strict=True):
            left[number] = is_left
    refused = sorted(beginnings[number][0].id for number, is_left in enumerate(left) if not is_left)
    if refused:  # after the budgets, but nobody else sees these rows yet
        connection.execute(_RESERVE_NOTHING, [{"refused": id_} for id_ in refused])
    return left


def end_generations(connection: Connection, endings: Sequence[tuple[str, Outcome]]) -> list[bool]:
    """End generations, by their ids, charge their keys, and add them to the sums.

    Return which had not ended already.
    """
    now = utc_now()
    ended = dict[int, Generation]()
    costs, reserved = defaultdict[str, Amount](Amount), defaultdict[str, Amount](Amount)
    for number in sorted(range(len(endings)), key=lambda number: endings[number][0]):
        id_, outcome = endings[number]
        row = connection.execute(_END, _values(id_, outcome, now)).mappings().one_or_none()
        if row is None:
            continue
        ended[number] = generation = generation_of(row)
        freed = Amount(generation.reserved_nanodollars, generation.reserved_samples)
        if generation.key_hash is not None and (outcome.cost or freed):
            costs[generation.key_hash] += outcome.cost
            reserved[generation.key_hash] += freed
    for key_hash, cost in sorted(costs.items()):
        settle(connection, key_hash, cost=cost, reserved=reserved[key_hash])
    apps = add_usage(connection, list(ended.values()))
    add_hours(connection, [(each, endings[n][1].met) for n, each in ended.items()])
    note_apps(connection, list(zip(ended.values(), apps, strict=True)))
    keep_transcripts(connection, [(each, endings[n][1].transcript) for n, each in ended.items()])
    return [number in ended for number in range(len(endings))]


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
