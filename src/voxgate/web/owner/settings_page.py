"""`/owner/settings`: the settings in force, and where each comes from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.api.setting_texts import setting_descriptions, setting_text
from voxgate.configuration.file import ConfigFile
from voxgate.configuration.values import UNLIMITED_BYTES
from voxgate.settings import Settings
from voxgate.web.signing.visitor import require_owner
from voxgate.web.site import Site

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """One setting, without what is secret."""

    name: str
    value: str
    origin: str
    description: str


async def settings(request: Request) -> Response:
    """All settings, those that somebody set first."""
    site, visitor = Site.of(request), await require_owner(request)
    shown = shown_settings(site.gateway.settings, site.origins)
    return site.renderer.page(
        request,
        "owner/settings.html",
        visitor,
        chosen=[each for each in shown if each.origin != DEFAULT],
        defaults=[each for each in shown if each.origin == DEFAULT],
    )


def origins_now() -> dict[str, str]:
    """Return where settings come from that are not left at their defaults: ask at the start."""
    return Settings.given(os.environ, ConfigFile.find(os.environ)).origins


def shown_settings(settings: Settings, origins: Mapping[str, str]) -> list[ShownSetting]:
    """Return the settings in the order of `Settings`."""
    return [
        ShownSetting(
            name,
            _text(name, getattr(settings, name)),
            origins.get(name, DEFAULT),
            description,
        )
        for name, description in setting_descriptions().items()
    ]


def _text(name: str, value: object) -> str:
    if value == UNLIMITED_BYTES:
        return "no limit"
    return setting_text(name, value)


PAGES = (("GET", "/owner/settings", settings),)
