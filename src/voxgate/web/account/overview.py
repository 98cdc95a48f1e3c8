"""`/account`: the visitor's key, its limits, and what it used; for who manages, credits."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from voxgate.ledger.amounts import nanodollars_of
from voxgate.ledger.budget import Amount
from voxgate.ledger.key_usage import KeyUsage
from voxgate.web.account.limits import credit_limit, limits_of
from voxgate.web.signing.visitor import require_visitor
from voxgate.web.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request
    from starlette.responses import Response

    from voxgate.api.gateway import Gateway
    from voxgate.web.account.limits import Limit

PERIODS = (
    ("Today", "daily"),
    ("This week", "weekly"),
    ("This month", "monthly"),
    ("Ever", "total"),
)


async def overview(request: Request) -> Response:
    """The key that signed in, and what it used; for who manages, what all keys used."""
    site, visitor = Site.of(request), await require_visitor(request)
    own = [visitor.key.hash if visitor.key else ""]
    found = await site.gateway.ledger.keys.usage(None if visitor.manages else own)
    usage = _sum(found.values())
    return site.renderer.page(
        request,
        "account/overview.html",
        visitor,
        key=visitor.key,
        limits=limits_of(visitor.key.budget if visitor.key else None),
        usage=[(name, getattr(usage, period)) for name, period in PERIODS],
        credit=_credits(site.gateway, usage) if visitor.manages else None,
    )


def _sum(usages: Iterable[KeyUsage]) -> KeyUsage:
    """Return what several keys used together."""
    every = list(usages)
    return KeyUsage(
        **{
            period: sum((getattr(each, period) for each in every), start=Amount())
            for _, period in PERIODS
        }
    )


def _credits(gateway: Gateway, used: KeyUsage) -> Limit | None:
    """Return what was paid in, and used by all keys; None where nobody says what was paid."""
    paid = gateway.settings.credits
    if not paid:
        return None
    return credit_limit(nanodollars_of(Decimal(str(paid))), used.total.nanodollars)


PAGES = (("GET", "/account", overview),)
