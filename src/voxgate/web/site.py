"""`Site`: what the pages of a server share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from voxgate.api.gateway import Gateway
    from voxgate.web.rendering import Renderer
    from voxgate.web.signing.oidc.attempt import Attempts
    from voxgate.web.signing.oidc.provider import IdentityProvider
    from voxgate.web.signing.session_cookie import SessionCookie


@dataclass(frozen=True, slots=True)
class Site:
    """The gateway below the pages, what renders them, and what knows who signed in."""

    gateway: Gateway
    renderer: Renderer
    cookie: SessionCookie
    origins: Mapping[str, str]  # where settings come from that are not left at their defaults
    provider: IdentityProvider | None = None  # at which visitors may sign in, too
    attempts: Attempts | None = None  # there

    @classmethod
    def of(cls, request: Request) -> Site:
        """Return that of a request."""
        site: Site = request.app.state.site
        return site
