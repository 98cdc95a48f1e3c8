"""Read bodies that are divided into chunks."""

from __future__ import annotations

import asyncio
from itertools import cycle
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from voxgate.api.body.reader import BodyReader

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from voxgate.api.body.request_body import RequestBody, Upload
    from voxgate.settings import Settings

thorough = settings(
    max_examples=100,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

cuts = st.lists(st.integers(1, 40), min_size=1, max_size=5) | st.just([10**6])
"""Sizes of chunks, repeated until the body ends."""


def cut(body: bytes, sizes: Iterable[int]) -> Iterator[bytes]:
    """The body in chunks of these sizes, again and again."""
    start = 0
    for size in cycle(sizes):
        if start >= len(body):
            return
        yield body[start : start + size]
        start += size


async def arriving(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Chunks as a server hands them on."""
    for chunk in chunks:
        yield chunk


def read_all(
    content_type: str | None,
    body: bytes,
    limits: Settings,
    sizes: Iterable[int] = (65536,),
    query: bytes = b"",
    **more: str,
) -> RequestBody:
    """Read one body; headers in `more` have '_' for '-'."""
    headers = {name.replace("_", "-"): value for name, value in more.items()}
    if content_type is not None:
        headers["content-type"] = content_type
    return asyncio.run(BodyReader(headers, arriving(cut(body, sizes)), limits, query=query).whole())


def recording(upload: Upload | None) -> bytes | None:
    """What the upload's file holds; it is closed."""
    if upload is None:
        return None
    with upload:
        upload.file.seek(0)
        return upload.file.read()
