"""The objects of `/files`, for the OpenAPI alone: see `schemas`."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from voxgate.api.openapi.schemas import Closed, Text


class KeptFile(Closed):
    """A kept recording."""

    id: str
    object: Literal["file"]
    bytes: int
    created_at: int
    expires_at: int
    filename: str | None
    purpose: Literal["audio"]
    sample_type: str
    source: str
    visibility: Literal["user"]
    mimetype: Text = UNSET
    deleted: bool | UnsetType = UNSET


class FileList(Closed):
    """A page of the kept recordings, the newest first."""

    object: Literal["list"]
    data: list[KeptFile]
    total: int | UnsetType = UNSET


class DeletedFile(Closed):
    """A recording that is no longer kept."""

    id: str
    object: Literal["file"]
    deleted: Literal[True]


class SignedAddress(Closed):
    """An address of a kept recording that needs no key."""

    url: str
