"""`RouterMetadata`: who was asked for a transcript, for callers who ask for that by a header.

OpenRouter's chat has it (openrouter-api.md 8.7); for recordings it is ours.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voxgate.api.generation_record import MAX_RECORDED_ATTEMPTS, provider_name
from voxgate.errors import CODES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self

    from voxgate.api.job import AnyJob
    from voxgate.api.job_submission import JobSubmission
    from voxgate.pipeline.attempt import Attempt

HEADERS = ("x-openrouter-metadata", "x-openrouter-experimental-metadata")
ENABLED = "enabled"


@dataclass(frozen=True, slots=True)
class RouterMetadata:
    """What a caller is told of the endpoints and attempts of a job."""

    submission: JobSubmission[Any]
    job: AnyJob

    @classmethod
    def wanted(
        cls, headers: Mapping[str, str], submission: JobSubmission[Any], job: AnyJob
    ) -> Self | None:
        """Return it for a request whose headers ask for it."""
        asked = any(headers.get(name, "").strip().lower() == ENABLED for name in HEADERS)
        return cls(submission, job) if asked else None

    def added_to(self, body: bytes) -> bytes:
        """Return a JSON object with one member more: the metadata, as they are now."""
        assert body.endswith(b"}")  # noqa: S101 (every body is an object)
        member = json.dumps({"openrouter_metadata": self._value()})
        return body[:-1] + b", " + member[1:].encode()

    def _value(self) -> dict[str, Any]:
        route, attempts = self.submission.route, self.job.trace.attempts
        answered = [each.endpoint for each in attempts if each.error is None]
        failed = sum(each.error is not None for each in attempts)
        several = len(route.providers) > 1
        return {
            "requested": self.submission.requested_model,
            "strategy": "fallback" if len(set(answered)) > 1 or (several and failed) else "direct",
            "region": None,
            "summary": f"{len(attempts)} attempts at windows, of which {failed} failed",
            "attempt": len(attempts),
            "is_byok": False,
            "endpoints": {
                "total": len(route.providers),
                "available": [
                    {
                        "provider": provider_name(each.slug),
                        "model": each.provider.name,
                        "selected": each.slug in answered,
                    }
                    for each in route.providers
                ],
            },
            "attempts": [_attempt(each) for each in attempts[:MAX_RECORDED_ATTEMPTS]],
            "pipeline": [],
        }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    """Return an attempt at one window; `model` is the endpoint's slug after its provider."""
    return {
        "provider": provider_name(attempt.endpoint),
        "model": attempt.endpoint.partition("/")[2],
        "status": CODES[attempt.error].status if attempt.error else 200,
    }
