"""`/activity` as OpenRouter has it, and `/voxgate/activity` with sound, percentiles and CSV."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from voxgate.api.auth import caller, ledger_manager, manages
from voxgate.api.error_responses import json_response
from voxgate.api.model_card import endpoint_id
from voxgate.api.openapi import generation_schemas
from voxgate.api.openapi.responses import KEY_ERRORS, json_of, responses, text_of
from voxgate.api.query import check_names
from voxgate.errors import UsageError, VoxgateError
from voxgate.ledger.activity_query import ActivityQuery, read_day, read_groupings, read_range, today
from voxgate.ledger.activity_record import CSV_TYPE, activity_record, csv_table
from voxgate.ledger.amounts import json_dollars
from voxgate.ledger.key import HASH

if TYPE_CHECKING:
    from voxgate.api.gateway import Gateway
    from voxgate.ledger.activity import ActivityRow
    from voxgate.ledger.key import Key

COMPLETED_DAYS = 30
OWN_SIDE = "this server has neither members nor workspaces"
FILTERS = ("group_by", "since", "until", "model", "provider", "app", "api_key_hash", "format")

router = APIRouter()


@router.get(
    "/activity",
    summary="The last 30 days by model and endpoint",
    response_model=None,
    responses=responses(json_of(generation_schemas.ActivityList), *KEY_ERRORS, 400),
)
async def activity(
    request: Request, date: str | None = None, api_key_hash: str | None = None
) -> Response:
    """Requests and dollars of the last 30 completed days of UTC, for a management key."""
    gateway: Gateway = request.app.state.gateway
    await ledger_manager(request)
    check_names(request, {"date", "api_key_hash"}, OWN_SIDE)
    now = today()
    first, last = now - timedelta(days=COMPLETED_DAYS), now - timedelta(days=1)
    if date:
        day = read_day("date", date)
        if not first <= day <= last:
            raise UsageError(
                f"'date' is {day}, and this has the last {COMPLETED_DAYS} completed days of UTC, "
                f"{first} to {last}. Choose one of them; /voxgate/activity has all days."
            )
        first = last = day
    question = ActivityQuery(first, last, ("day", "model", "provider"), _hash(api_key_hash))
    return json_response(
        {"data": [_item(row) for row in await gateway.ledger.activity.find(question)]}
    )


@router.get(
    "/voxgate/activity",
    summary="Sums and percentiles of requests",
    response_model=None,
    responses=responses(
        json_of(generation_schemas.Activity) | text_of(CSV_TYPE.partition(";")[0]), *KEY_ERRORS, 400
    ),
)
async def voxgate_activity(
    request: Request,
    *,
    group_by: str = "day",
    since: str | None = None,
    until: str | None = None,
    model: str | None = None,
    provider: str | None = None,
    app: str | None = None,
    api_key_hash: str | None = None,
    format: str = "json",  # noqa: A002 (the name on the wire)
) -> Response:
    """Sums by any of day, model, key, label, app and provider, with commas between.

    By `hour`, of 14 days at most and of the last 40, by model, key and label beside it, without
    percentiles.

    A management key reads those of all keys, any other key its own. `format` is `json` or `csv`.
    """
    gateway: Gateway = request.app.state.gateway
    key = await caller(request)
    check_names(request, FILTERS, OWN_SIDE)
    if format not in {"json", "csv", ""}:
        raise UsageError(f"'format' must be json or csv, not '{format[:100]}'.")
    key_hash = _hash(api_key_hash)
    if not manages(key, gateway.settings):
        own = key.hash if key else ""
        if key_hash not in {None, own}:
            raise _not_its_own(key)
        key_hash = own
    question = ActivityQuery(
        *read_range(since, until),
        group_by=read_groupings([name.strip() for name in group_by.split(",") if name.strip()]),
        key_hash=key_hash,
        model=model or None,
        provider=provider or None,
        app=app or None,
    )
    return await _answer(gateway, question, as_csv=format == "csv")


async def _answer(gateway: Gateway, question: ActivityQuery, *, as_csv: bool) -> Response:
    rows, total = await gateway.ledger.activity.find_with_total(question)
    names: dict[str, str] = {}
    if "key" in question.group_by:
        names = {key.hash: key.name for key in await gateway.ledger.keys.all()}
    records = [activity_record(row, question.group_by, names) for row in rows]
    if as_csv:
        headers = {"Content-Disposition": 'attachment; filename="activity.csv"'}
        text = csv_table(records, question.group_by)
        return Response(text.encode(), headers=headers, media_type=CSV_TYPE)
    now = today()
    return json_response(
        {
            "object": "list",
            "since": question.since.isoformat(),
            "until": question.until.isoformat(),
            "group_by": question.group_by,
            # A day that goes on looks like a fall in a chart.
            "partial_day": now.isoformat() if question.since <= now <= question.until else None,
            "data": records,
            "total": activity_record(total, (), {}),
        }
    )


def _item(row: ActivityRow) -> dict[str, Any]:
    """Return a row as OpenRouter has it (openrouter-api.md 5.4)."""
    day, model, provider = map(str, row.group)
    return {
        "date": day,
        "model": model,
        "model_permaslug": model,
        "endpoint_id": endpoint_id(model, provider),
        "provider_name": provider,
        "requests": row.requests,
        "usage": json_dollars(row.nanodollars),
        "byok_usage_inference": 0,
        "prompt_tokens": 0,
        "completion_tokens": row.tokens,
        "reasoning_tokens": 0,
        "cached_tokens": 0,
    }


def _not_its_own(key: Key | None) -> VoxgateError:
    why = (
        "This key may read its own activity alone. Leave out 'api_key_hash', or use a management "
        "key."
    )
    if key is None:
        why = (
            "This server asks for no keys, and its database may be that of other servers: it shows "
            "the activity of requests without a key alone. Leave out 'api_key_hash'; `voxgate "
            "usage` has those of all keys."
        )
    return VoxgateError(why, code="permission_denied")


def _hash(text: str | None) -> str | None:
    if text and not HASH.fullmatch(text.lower()):
        raise UsageError(
            f"'api_key_hash' must be the SHA-256 of a key, 64 hexadecimal digits as `voxgate keys "
            f"list --json` has it, not '{text[:100]}'."
        )
    return text.lower() if text else None
