"""What the command line shows of a key: a row of the list, its page, and its JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voxgate.api.keys.objects import format_time, key_object
from voxgate.ledger.amounts import dollars_text, minutes_text

if TYPE_CHECKING:
    from voxgate.ledger.budget import Amount
    from voxgate.ledger.key import Key
    from voxgate.ledger.key_usage import KeyUsage

HEADINGS = ("name", "label", "used", "limit", "last used", "state")


def facts(key: Key, usage: KeyUsage) -> dict[str, Any]:
    """Return a key as `GET /keys` has it, and when it was revoked."""
    return {**key_object(key, usage), "revoked_at": format_time(key.revoked_at)}


def row(key: Key, usage: KeyUsage) -> tuple[str, ...]:
    """Return a key's row under `HEADINGS`."""
    return (
        key.name,
        key.label,
        amount_text(usage.total),
        "manages keys" if key.management else "; ".join(_limits(key)) or "none",
        f"{key.last_used_at:%Y-%m-%d}" if key.last_used_at else "never",
        key.state,
    )


def lines(key: Key, usage: KeyUsage) -> list[tuple[str, str]]:
    """Return what a key has, each with its heading."""
    pairs = [
        ("name", key.name),
        ("label", key.label),
        ("labels", ", ".join(key.labels)),
        ("hash", key.hash),
        ("state", key.state),
        ("kind", "management" if key.management else "transcribing"),
        ("limits", "; ".join(_limits(key)) or ("" if key.management else "none")),
        ("resets", format_time(key.budget.resets_at) or "" if key.budget else ""),
        ("under way", _reserved(key)),
        ("used today", amount_text(usage.daily)),
        ("this week", amount_text(usage.weekly)),
        ("this month", amount_text(usage.monthly)),
        ("ever", amount_text(usage.total)),
        ("models", ", ".join(key.allowed_models or ())),
        ("recordings a minute", str(key.requests_per_minute or "")),
        ("recordings at once", str(key.max_recordings or "")),
        (
            "keeps transcripts",
            f"{key.keep_transcripts_days} d" if key.keep_transcripts_days else "",
        ),
        ("creator", key.creator or ""),
        ("external user", key.external_user or ""),
        ("created", format_time(key.created_at) or ""),
        ("changed", format_time(key.updated_at) or ""),
        ("last used", format_time(key.last_used_at) or "never"),
        ("expires", format_time(key.expires_at) or ""),
        ("revoked", format_time(key.revoked_at) or ""),
    ]
    return [(heading, value) for heading, value in pairs if value]


def amount_text(amount: Amount) -> str:
    """Return money and sound that were used, without what is zero."""
    money = [dollars_text(amount.nanodollars)] if amount.nanodollars else []
    sound = [minutes_text(amount.samples)] if amount.samples else []
    return ", ".join(money + sound) or "nothing"


def _limits(key: Key) -> list[str]:
    """Return each limit of a key's budget, with what is left of it."""
    budget = key.budget
    if budget is None:
        return []
    every = f" {budget.reset}" if budget.reset else ""
    limits = []
    if budget.limit_nanodollars is not None:
        limit, left = dollars_text(budget.limit_nanodollars), dollars_text(budget.left.nanodollars)
        limits.append(f"{limit}{every}, {left} left")
    if budget.limit_samples is not None:
        limit, left = minutes_text(budget.limit_samples), minutes_text(budget.left.samples)
        limits.append(f"{limit}{every}, {left} left")
    return limits


def _reserved(key: Key) -> str:
    """Return what recordings under way have reserved of a key's budget."""
    budget = key.budget
    if budget is None or not budget.reserved:
        return ""
    money, sound = dollars_text(budget.reserved_nanodollars), minutes_text(budget.reserved_samples)
    return f"{money}, {sound} reserved"
