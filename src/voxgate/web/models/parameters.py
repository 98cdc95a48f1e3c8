"""`parameter_rows`: the fields of a request, and what a model does with each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from voxgate.api.dialects.fields import FIELDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.api.dialects.fields import Field
    from voxgate.models.capabilities import Capabilities
    from voxgate.web.models.endpoint_details import EndpointDetails

USED, IGNORED, REFUSED = "used", "ignored, with a warning", "refused with 400"
ANY_MODEL = "as with every model"


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """One field, for one model."""

    field: Field
    does: str
    kind: str  # `good` where some endpoint uses it, `fair` where none does; "" for what all share

    @property
    def meaning(self) -> Markup:
        """What happens, with code in its place."""
        return _with_code(self.field.effect)

    @property
    def default(self) -> Markup:
        """What happens without it, likewise."""
        return _with_code(self.field.default)


def parameter_rows(endpoints: Sequence[EndpointDetails]) -> list[ParameterRow]:
    """Return the fields of the table that requests are parsed by, for a model's endpoints."""
    return [_row(field, endpoints) for field in FIELDS]


def _row(field: Field, endpoints: Sequence[EndpointDetails]) -> ParameterRow:
    if not field.needs:
        refused = field.effect.startswith("Refused")
        return ParameterRow(field, REFUSED if refused else ANY_MODEL, "")
    able = [
        "this server" if each.row.is_local else each.name
        for each in endpoints
        if honours(each.capabilities, field.needs)
    ]
    if not able:
        return ParameterRow(field, REFUSED if field.kind == "promise" else IGNORED, "fair")
    if field.needs == "languages":
        counts = {len(each.capabilities.languages) for each in endpoints}
        return ParameterRow(field, f"used: {_range(counts)} languages", "good")
    if len(able) == len(endpoints):
        return ParameterRow(field, USED, "good")
    return ParameterRow(field, f"used by {', '.join(able)} alone", "good")


def honours(able: Capabilities, needs: str) -> bool:
    """Return whether a model has what a field needs: a capability, or an option that it takes."""
    return needs in able.options or bool(getattr(able, needs, False))


def _range(counts: set[int]) -> str:
    least, most = min(counts), max(counts)
    return str(least) if least == most else f"{least} to {most}"


def _with_code(text: str) -> Markup:
    """Return a text with what stands in backticks as code."""
    parts = [escape(part) for part in text.split("`")]
    marked = (Markup("<code>{}</code>").format(part) if at % 2 else part
              for at, part in enumerate(parts))  # fmt: skip
    return Markup("").join(marked)
