"""`admit`: fits a parsed request to its model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from voxgate.api.dialects.negotiate import negotiate
from voxgate.models.catalogue import check_installed

if TYPE_CHECKING:
    from voxgate.api.dialects.negotiate import ParsedRequest
    from voxgate.pipeline.route import Route
    from voxgate.pipeline.session import Session


async def admit(parsed: ParsedRequest, session: Session) -> tuple[ParsedRequest, Route]:
    """Return the request with what its model honours, under the model's own name, and its route.

    Raises as `Session.resolve` and `negotiate` do, and `EngineStartError` (`no_endpoints`) for a
    model that is not installed.
    """
    # Callers must not name folders of this machine.
    spec = await session.resolve(parsed.model, folders=False)
    check_installed(spec)
    route = session.endpoints.route(spec)
    first = route.first
    return negotiate(replace(parsed, model=first.name), first.capabilities), route
