"""Keys as OpenRouter's clients read them (openrouter-api.md 5.1, 5.2), with what is ours beside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voxgate.api.keys.fields import WORKSPACE_ID
from voxgate.ledger.amounts import SAMPLES_PER_MINUTE, json_dollars

if TYPE_CHECKING:
    from datetime import datetime

    from voxgate.ledger.budget import Budget
    from voxgate.ledger.key import Key
    from voxgate.ledger.key_usage import KeyUsage

NO_KEY_LABEL = "no key"  # where the server asks for none

_BYOK: dict[str, Any] = {
    "include_byok_in_limit": False,
    **dict.fromkeys(("byok_usage", "byok_usage_daily", "byok_usage_weekly"), 0),
    "byok_usage_monthly": 0,
}
"""Callers bring no keys of providers."""


def key_object(key: Key, usage: KeyUsage) -> dict[str, Any]:
    """Return a key as those who manage keys read it."""
    return {
        "hash": key.hash,
        "name": key.name,
        "label": key.label,
        "disabled": key.disabled,
        **_limits(key.budget),
        **_usage(usage),
        "created_at": format_time(key.created_at),
        "updated_at": format_time(key.updated_at),
        "expires_at": format_time(key.expires_at),
        "creator_user_id": key.creator,
        "workspace_id": WORKSPACE_ID,
        "external_user": key.external_user,
        "last_used_at": format_time(key.last_used_at),
        "voxgate": {"management": key.management, "state": key.state, **_own(key, usage)},
    }


def current_key_object(key: Key | None, usage: KeyUsage, *, manages: bool) -> dict[str, Any]:
    """Return a key as its own caller reads it; None where the server asks for no keys.

    `manages` says that the caller may manage keys.
    """
    rate = key.requests_per_minute if key else None
    budget = _money_budget(key.budget) if key else None
    return {
        "label": key.label if key else NO_KEY_LABEL,
        **_limits(key.budget if key else None),
        **_usage(usage),
        "is_free_tier": False,
        "is_management_key": manages,
        "is_provisioning_key": manages,
        # A file of the server's is no business of whoever has the key.
        "creator_user_id": key.creator if key and not key.file else None,
        "expires_at": format_time(key.expires_at) if key else None,
        "rate_limit": {
            "requests": rate or -1,
            "interval": "60s" if rate else "10s",
            "note": "Recordings a minute; -1 is no limit.",
        },
        "allowed_data_regions": ["global"],
        "budgets": [budget] if budget else [],
        "effective_budget": budget,
        "free_model_daily_requests": {"limit": 0, "remaining": 0, "used": 0},
        "organization_id": None,
        "workspace_id": WORKSPACE_ID,
        "voxgate": _own(key, usage),
    }


def format_time(moment: datetime | None) -> str | None:
    """Return a time as JSON has it."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None


def _limits(budget: Budget | None) -> dict[str, Any]:
    limit = budget.limit_nanodollars if budget else None
    return {
        "limit": None if limit is None else json_dollars(limit),
        "limit_remaining": None
        if budget is None or limit is None
        else json_dollars(budget.left.nanodollars),
        "limit_reset": budget.reset if budget else None,
        **_BYOK,
    }


def _usage(usage: KeyUsage) -> dict[str, float]:
    return {
        "usage": json_dollars(usage.total.nanodollars),
        "usage_daily": json_dollars(usage.daily.nanodollars),
        "usage_weekly": json_dollars(usage.weekly.nanodollars),
        "usage_monthly": json_dollars(usage.monthly.nanodollars),
    }


def _own(key: Key | None, usage: KeyUsage) -> dict[str, Any]:
    """Return what OpenRouter's keys do not have. Minutes are those of sound."""
    budget = key.budget if key else None
    limit = budget.limit_samples if budget else None
    return {
        "limit_minutes": None if limit is None else _in_minutes(limit),
        "limit_minutes_remaining": None
        if budget is None or limit is None
        else _in_minutes(budget.left.samples),
        "usage_minutes": _in_minutes(usage.total.samples),
        "usage_minutes_daily": _in_minutes(usage.daily.samples),
        "usage_minutes_weekly": _in_minutes(usage.weekly.samples),
        "usage_minutes_monthly": _in_minutes(usage.monthly.samples),
        "allowed_models": list(key.allowed_models) if key and key.allowed_models else None,
        "requests_per_minute": key.requests_per_minute if key else None,
        "max_recordings": key.max_recordings if key else None,
        "keep_transcripts_days": key.keep_transcripts_days if key else None,
        "labels": list(key.labels) if key else [],
    }


def _money_budget(budget: Budget | None) -> dict[str, Any] | None:
    """Return the limit of dollars as an entry of `budgets`; what is reserved counts as spent."""
    if budget is None or budget.limit_nanodollars is None:
        return None
    spent = budget.spent_nanodollars + budget.reserved_nanodollars
    return {
        "scope": "key_limit",
        "limit_usd": json_dollars(budget.limit_nanodollars),
        "spend_usd": json_dollars(spent),
        "remaining_usd": json_dollars(budget.left.nanodollars),
        "reset_interval": budget.reset,
        "resets_at": format_time(budget.resets_at),
        "include_byok": False,
        "guardrail_id": None,
        "budget_id": None,
    }


def _in_minutes(samples: int) -> float:
    return samples / SAMPLES_PER_MINUTE
