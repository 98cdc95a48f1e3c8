"""`/owner/log`: the last warnings and errors since the start, with what callers are not told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.recent_problems import MOST
from voxgate.web.signing.visitor import require_owner
from voxgate.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def log(request: Request) -> Response:
    """The newest first."""
    site, visitor = Site.of(request), await require_owner(request)
    problems = site.gateway.problems.newest_first
    return site.renderer.page(request, "owner/log.html", visitor, problems=problems, most=MOST)


PAGES = (("GET", "/owner/log", log),)
