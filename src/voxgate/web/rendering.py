"""`Renderer`: templates to responses, with the headers that keep a page to itself.

No script or style stands in a page: the policy of its content allows files of this server alone,
so a name that somebody chose can never run. A style sheet that a script makes (the waveform's)
needs the nonce of the response.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse

from voxgate._version import __version__
from voxgate.web.figures import FILTERS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from voxgate.web.assets import Assets
    from voxgate.web.signing.visitor import Visitor

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; font-src 'self'; "
    "img-src 'self' data:; connect-src 'self' blob:; media-src 'self' blob:; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
NO_CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
"""Of what is no page: files, redirects, data for a script. Nothing in it runs."""

HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cache-Control": "private, no-store",  # a page has figures of this moment, and of its visitor
}


def guard(response: Response) -> Response:
    """Give a response the headers that it lacks of those that keep it to its visitor."""
    for name, value in (HEADERS | {"Content-Security-Policy": NO_CONTENT_POLICY}).items():
        response.headers.setdefault(name, value)
    return response


class Renderer:
    """Renders the templates of this package. A name that a template lacks is an error."""

    def __init__(self, assets: Assets) -> None:
        self._templates = Environment(
            loader=PackageLoader("voxgate.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters.update(FILTERS)
        self._templates.globals.update(assets=assets, version=__version__)

    def page(
        self,
        request: Request,
        template: str,
        visitor: Visitor | None,
        *,
        status: int = 200,
        **values: Any,
    ) -> Response:
        """Return a page. `visitor` is None where a failure is told to somebody unknown."""
        nonce = secrets.token_urlsafe(16)
        text = self._templates.get_template(template).render(
            request=request, visitor=visitor, nonce=nonce, path=request.url.path, **values
        )
        headers = {**HEADERS, "Content-Security-Policy": POLICY.format(nonce=nonce)}
        return HTMLResponse(text, status, headers)
