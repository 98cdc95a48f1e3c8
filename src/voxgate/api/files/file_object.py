"""The fields of an upload, and a kept file as Mistral's clients read it (mistral-api.md 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from voxgate.ledger.files import KeptFile

PURPOSE, SAMPLE_TYPE, SOURCE = "audio", "instruct", "upload"
MOST_HOURS = 24 * 366


class FileFields(BaseModel):
    """What a form says of the file in it."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    purpose: Literal["audio"] = Field("audio", description="Recordings are all that is kept.")
    visibility: Literal["workspace", "user"] = Field(
        "user", description="Either way the file is that of the key alone."
    )
    expiry: Annotated[int, Field(ge=1, le=MOST_HOURS)] | None = Field(
        None, description="After how many hours the file is deleted, where that is sooner."
    )


class FileQuery(BaseModel):
    """Which files a list has."""

    page: int = Field(0, ge=0, le=1_000_000)
    page_size: int = Field(100, ge=1, le=1000)
    include_total: bool = True
    search: str = Field("", max_length=256, description="A part of the file's name, in any case.")
    purpose: str = PURPOSE
    sample_type: list[str] = [SAMPLE_TYPE]
    source: list[str] = [SOURCE]
    mimetypes: list[str] | None = None

    @property
    def can_match(self) -> bool:
        """Whether any file has the purpose, sample type and source: all have the same."""
        same = self.purpose == PURPOSE and SAMPLE_TYPE in self.sample_type
        return same and SOURCE in self.source


def file_object(kept: KeptFile) -> dict[str, Any]:
    """Return the file as an object of JSON."""
    return {
        "id": kept.id,
        "object": "file",
        "bytes": kept.size,
        "created_at": int(kept.created_at.timestamp()),
        "expires_at": int(kept.expires_at.timestamp()),
        "filename": kept.name,
        "purpose": PURPOSE,
        "sample_type": SAMPLE_TYPE,
        "source": SOURCE,
        **({"mimetype": kept.media_type} if kept.media_type else {}),
        "visibility": "user",
    }
