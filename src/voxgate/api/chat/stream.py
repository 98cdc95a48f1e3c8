"""`ChatStream`: sends an answer's texts as server-sent events while it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.api.chat.chat_job import ChatJob
from voxgate.api.stream import JobStream

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from voxgate.answers.values import Answer
    from voxgate.api.chat.render import ChatRenderer
    from voxgate.api.jobs import Jobs
    from voxgate.api.response_head import ResponseHead
    from voxgate.errors import VoxgateError


class ChatStream(JobStream[ChatJob]):
    """The response to one caller who reads an answer while it is written."""

    def __init__(
        self, *, jobs: Jobs, key: Hashable, renderer: ChatRenderer, head: ResponseHead
    ) -> None:
        super().__init__(jobs=jobs, key=key, job=renderer.job, request=renderer.parsed, head=head)
        self._renderer = renderer

    def _begin(self) -> Iterator[str]:
        return self._renderer.begin()

    def _piece(self, piece: str, *, first: bool) -> Iterator[str]:  # noqa: ARG002 (all are alike)
        return self._renderer.text(piece)

    def _done(self, result: Answer) -> Iterator[str]:
        return self._renderer.end(result)

    def _error(self, error: VoxgateError) -> Iterator[str]:
        return self._renderer.error(error)
