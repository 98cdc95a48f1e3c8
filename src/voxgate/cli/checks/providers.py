"""The checks of providers elsewhere. Nobody is asked: `voxgate providers test` does that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.cli.checks.check import Check
from voxgate.models.elsewhere import is_reachable
from voxgate.providers.upstream.keys import why_missing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.settings import Settings
    from voxgate.upstreams import Upstream


def check_providers(settings: Settings) -> Iterator[Check]:
    """Yield every provider elsewhere: its models, and whether it has a key."""
    for upstream in settings.endpoints.upstreams:
        entries = [each for each in settings.endpoints.entries if each.upstream == upstream]
        models = ", ".join(each.model for each in entries) or "no model"
        yield _check(upstream, f"elsewhere, at {upstream.url}: {models}", settings)


def _check(upstream: Upstream, found: str, settings: Settings) -> Check:
    missing = [reason for each in upstream.keys if (reason := why_missing(each))]
    if not is_reachable(upstream, settings):
        return Check(upstream.name, "note", f"{found}; left out, since Voxgate must stay offline")
    if missing and len(missing) == len(upstream.keys):
        put = "put its key there, or name another place in 'keys'"
        return Check(upstream.name, "note", f"{found}; it has no key: {'; '.join(missing)}", put)
    keys = f"; {len(upstream.keys) - len(missing)} of {len(upstream.keys)} keys are there"
    return Check(upstream.name, "ok", found + keys * bool(upstream.keys))
