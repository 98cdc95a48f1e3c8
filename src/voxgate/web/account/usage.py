"""`/account/usage`: money, sound and requests over time, by what; the same as CSV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, get_args
from urllib.parse import urlencode

from starlette.responses import Response

from voxgate.errors import UsageError
from voxgate.ledger.activity_query import ActivityQuery, read_range, today
from voxgate.ledger.activity_record import CSV_TYPE, activity_record, csv_table
from voxgate.web.account.usage_report import METRICS, SORTINGS, usage_report
from voxgate.web.signing.visitor import require_visitor
from voxgate.web.site import Site

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from starlette.requests import Request

    from voxgate.web.account.usage_report import Metric, Sorting
    from voxgate.web.signing.visitor import Visitor

C = TypeVar("C", bound=str)
By: TypeAlias = Literal["model", "key", "app", "label", "provider"]

WAYS: tuple[By, ...] = get_args(By)
NAMELESS: dict[By, str] = {
    "model": "no model",
    "key": "without a key",
    "app": "no app named",
    "label": "without a label",
    "provider": "no provider asked",
}
"""What stands for the absence of a group's name."""

PATH, CSV_PATH = "/account/usage", "/account/usage.csv"


@dataclass(frozen=True, slots=True)
class View:
    """What the address says. Each part of it is a link on the page."""

    since: date
    until: date
    by: By
    metric: Metric
    sort: Sorting
    descending: bool

    @classmethod
    def of(cls, request: Request) -> View:
        """Read an address. Raises `UsageError`, which names the part that is wrong."""
        query = request.query_params
        since, until = read_range(query.get("since"), query.get("until"))
        sort: Sorting = _chosen("sort", query.get("sort") or "sum", SORTINGS)
        order = _chosen("order", query.get("order") or _usual_order(sort), ("asc", "desc"))
        return cls(
            since,
            until,
            _chosen("by", query.get("by") or "model", WAYS),
            _chosen("metric", query.get("metric") or "spend", METRICS),
            sort,
            order == "desc",
        )

    def address(self, path: str = PATH, **changes: str) -> str:
        """Return the address of this view with some of it changed."""
        own = {
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
            "by": self.by,
            "metric": self.metric,
            "sort": self.sort,
            "order": "desc" if self.descending else "asc",
        }
        return f"{path}?{urlencode(own | changes)}"

    def sorted_by(self, sort: Sorting) -> str:
        """Return the address of the table sorted by a column, or turned round where it is."""
        order = _usual_order(sort)
        if sort == self.sort:
            order = "asc" if self.descending else "desc"
        return self.address(sort=sort, order=order)


async def usage(request: Request) -> Response:
    """Cards, bars and the table of one metric."""
    site, visitor, view = Site.of(request), await require_visitor(request), View.of(request)
    question = _question(view, visitor)
    rows = await site.gateway.ledger.activity.find_sums(question)
    names = {"": NAMELESS[view.by]}
    if view.by == "key":
        names |= {key.hash: key.name for key in await site.gateway.ledger.keys.all()}
    report = usage_report(
        rows,
        (view.since, view.until),
        today(),
        metric=view.metric,
        names=names,
        sort=view.sort,
        descending=view.descending,
    )
    return site.renderer.page(
        request,
        "account/usage.html",
        visitor,
        view=view,
        report=report,
        ways=WAYS,
        sortings=SORTINGS,
        csv=CSV_PATH,
    )


async def usage_csv(request: Request) -> Response:
    """What the page shows, by day, as CSV."""
    site, visitor, view = Site.of(request), await require_visitor(request), View.of(request)
    question = _question(view, visitor)
    rows = await site.gateway.ledger.activity.find(question)
    names: dict[str, str] = {}
    if view.by == "key":
        names = {key.hash: key.name for key in await site.gateway.ledger.keys.all()}
    records = [activity_record(row, question.group_by, names) for row in rows]
    name = f"usage-{view.since}-{view.until}-by-{view.by}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    text = csv_table(records, question.group_by)
    return Response(text.encode(), headers=headers, media_type=CSV_TYPE)


def _question(view: View, visitor: Visitor) -> ActivityQuery:
    """Return what the ledger is asked: of all keys, or of the visitor's own alone."""
    own = visitor.key.hash if visitor.key else ""
    key_hash = None if visitor.manages else own
    return ActivityQuery(view.since, view.until, ("day", view.by), key_hash)


def _usual_order(sort: Sorting) -> str:
    return "asc" if sort == "name" else "desc"


def _chosen(name: str, text: str, choices: Sequence[C]) -> C:
    for choice in choices:
        if choice == text:
            return choice
    raise UsageError(
        f"'{name}' in the address is '{text[:100]}', and must be one of {', '.join(choices)}."
    )


PAGES = (("GET", PATH, usage), ("GET", CSV_PATH, usage_csv))
