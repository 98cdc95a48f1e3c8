"""`ResponseHead`: the status and headers of every response to a transcription request."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from voxgate.ledger.amounts import dollars_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Message

    from voxgate.api.job import AnyJob
    from voxgate.pipeline.trace import StageTimes
    from voxgate.providers.base import Provider


class ResponseHead:
    """The head of the response to one of the callers that wait for a job."""

    def __init__(
        self, job: AnyJob, provider: Provider, stages: StageTimes, start_time: float
    ) -> None:
        """`provider` is the one that is asked first, for responses that begin before the end.

        `stages` are those of this request. `start_time` is its arrival, in monotonic seconds.
        """
        self._job, self._provider = job, provider
        self._stages, self._start_time = stages, start_time

    def message(self, status: int, content_type: str, headers: Mapping[str, str]) -> Message:
        """Return the start of the response, with the times that were measured until now."""
        if content_type.startswith("text/") or "subrip" in content_type:
            content_type += "; charset=utf-8"
        fields = {
            "content-type": content_type,
            "x-generation-id": self._job.id,
            "x-request-id": self._job.id,
            "x-voxgate-model": self._model(),
            "server-timing": self._server_timing(),
            **self._estimate(),
            **{name.lower(): value for name, value in headers.items()},
        }
        return {
            "type": "http.response.start",
            "status": status,
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields.items()],
        }

    def _estimate(self) -> dict[str, str]:
        """Return the cost in dollars by the length that the recording states."""
        estimate = self._job.estimate_nanodollars
        if estimate is None:
            return {}
        return {"x-voxgate-estimate": f"{dollars_of(estimate):f}"}

    def _model(self) -> str:
        """Return `NAME@REVISION; profile=PROFILE`, without what the model does not have."""
        result = self._job.result
        source, name = (result, result.model) if result else (self._provider, self._provider.name)
        name = f"{name}@{source.revision}" if source.revision else name
        return f"{name}; profile={source.profile}" if source.profile else name

    def _server_timing(self) -> str:
        """Return the value of `Server-Timing`, https://www.w3.org/TR/server-timing/, in ms.

        `work` is the time in which sound was decoded or recognised, or both. `total` minus `work`
        is the server's own overhead.
        """
        job_stages = self._job.trace.stages
        entries = {
            **{name: self._stages.seconds(name) for name in self._stages.names},
            **{name: job_stages.seconds(name) for name in job_stages.names},
            "work": job_stages.seconds("decode", "provider"),
            "total": time.monotonic() - self._start_time,
        }
        return ", ".join(f"{name};dur={seconds * 1e3:.2f}" for name, seconds in entries.items())
