"""The promises that no model here keeps, each refused with the next step (see `fields`).

What only some models can do is checked by `negotiate`, when the model is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.api.body.strict_json import parse_json
from voxgate.api.dialects.fields import SPEAKER_FIELDS
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.api.dialects.wire import TranscriptionRequest


def refuse_impossible(request: TranscriptionRequest) -> None:
    """Raise for what no model can do."""
    extra = request.model_extra or {}
    if extra.get("include"):
        raise _unsupported(
            f"{request.model} cannot fulfil 'include': it gives no probabilities of tokens. Leave "
            f"it out; 'verbose_json' has the confidence of each word."
        )


def asked_speakers(request: TranscriptionRequest, dropped: Sequence[str]) -> str | None:
    """Return the first field that asks who speaks, or None."""
    if request.response_format == "diarized_json":
        return "response_format"
    extra = request.model_extra or {}
    given = {name.replace("[", ".").partition(".")[0] for name in dropped}
    asked = (
        name
        for name in SPEAKER_FIELDS
        if name in given or extra.get(name) or getattr(request, name, None)
    )
    return next(asked, None)


def chunking_hints(request: TranscriptionRequest) -> list[str]:
    """Return the parts of a `chunking_strategy` without effect. Raises `UsageError` for no such."""
    given = (request.model_extra or {}).get("chunking_strategy")
    if isinstance(given, str) and given.lstrip().startswith("{"):  # in a form
        given = parse_json(given.encode("utf-8", "surrogatepass"), "'chunking_strategy'")
    if given in (None, "", "auto"):
        return []
    if isinstance(given, dict) and given.get("type") == "server_vad":
        return [f"chunking_strategy.{name}" for name in sorted(given) if name != "type"]
    raise UsageError(
        "'chunking_strategy' must be 'auto', or an object with the type 'server_vad'. Correct it, "
        "or leave it out."
    )


def _unsupported(sentence: str) -> UsageError:
    return UsageError(sentence, code="unsupported_option")
