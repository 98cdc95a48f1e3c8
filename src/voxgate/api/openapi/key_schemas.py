"""The objects of `/keys`, `/key` and `/credits`, for the OpenAPI alone: see `schemas`."""

from __future__ import annotations

from typing import Literal

from voxgate.api.openapi.schemas import Closed
from voxgate.ledger.key import State  # noqa: TC001 (msgspec evaluates it)
from voxgate.ledger.periods import Reset  # noqa: TC001 (as above)


class OwnUsage(Closed, kw_only=True):
    """What OpenRouter's keys do not have. Minutes are those of sound."""

    limit_minutes: float | None
    limit_minutes_remaining: float | None
    usage_minutes: float
    usage_minutes_daily: float
    usage_minutes_weekly: float
    usage_minutes_monthly: float
    allowed_models: list[str] | None
    requests_per_minute: int | None
    max_recordings: int | None
    keep_transcripts_days: int | None
    labels: list[str]


class OwnKeyFields(OwnUsage, kw_only=True):
    """The same, of a key that is managed."""

    management: bool
    state: State


class Spending(Closed, kw_only=True):
    """Limits and usage in US dollars; days, weeks from Monday, and months of UTC."""

    limit: float | None
    limit_remaining: float | None
    limit_reset: Reset | None
    include_byok_in_limit: Literal[False]
    usage: float
    usage_daily: float
    usage_weekly: float
    usage_monthly: float
    byok_usage: float
    byok_usage_daily: float
    byok_usage_weekly: float
    byok_usage_monthly: float
    creator_user_id: str | None
    expires_at: str | None
    workspace_id: str


class Key(Spending, kw_only=True):
    """A key, as those who manage keys read it."""

    hash: str
    name: str
    label: str
    disabled: bool
    created_at: str
    updated_at: str | None
    external_user: str | None
    last_used_at: str | None
    voxgate: OwnKeyFields


class WrappedKey(Closed):
    """A key."""

    data: Key


class KeyList(Closed):
    """A page of the keys, the oldest first."""

    data: list[Key]


class CreatedKey(Closed):
    """A new key. `key` is the key itself, which is shown only now."""

    data: Key
    key: str


class DeletedKey(Closed):
    """A key that does not work any more."""

    deleted: Literal[True]


class RateLimit(Closed):
    """How many recordings the key may send within the interval; -1 is no limit."""

    requests: int
    interval: str
    note: str


class MoneyBudget(Closed):
    """The key's limit of US dollars; what recordings under way have reserved counts as spent."""

    scope: Literal["key_limit"]
    limit_usd: float
    spend_usd: float
    remaining_usd: float
    reset_interval: Reset | None
    resets_at: str | None
    include_byok: Literal[False]
    guardrail_id: None
    budget_id: None


class FreeRequests(Closed):
    """Requests of free models a day, which are not counted here."""

    limit: int
    remaining: int
    used: int


class CurrentKey(Spending, kw_only=True):
    """The caller's own key."""

    label: str
    is_free_tier: Literal[False]
    is_management_key: bool
    is_provisioning_key: bool
    rate_limit: RateLimit
    allowed_data_regions: list[str]
    budgets: list[MoneyBudget]
    effective_budget: MoneyBudget | None
    free_model_daily_requests: FreeRequests
    organization_id: None
    voxgate: OwnUsage


class WrappedCurrentKey(Closed):
    """The caller's own key."""

    data: CurrentKey


class Credits(Closed):
    """US dollars that were paid in, and that all keys have used."""

    total_credits: float
    total_usage: float


class WrappedCredits(Closed):
    """What was paid in and used."""

    data: Credits
