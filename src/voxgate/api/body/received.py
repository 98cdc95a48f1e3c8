"""What a request's body held: its fields, and the recording in a file that has no name."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, Any, Literal, TypeAlias

Kind: TypeAlias = Literal["json", "form", "urlencoded"]


@dataclass(slots=True)
class Upload:
    """The caller's recording as it came. Close it, or use it as a context: that frees its disk.

    `file` is unbuffered, has a real descriptor, and stands anywhere. `size` is in bytes; `sha256`
    is hexadecimal. `name` is the last part of the form's file name, for messages and for its
    extension, never a path; JSON has none. `media_type` is what the form said, lower case, without
    parameters.
    """

    file: IO[bytes]
    size: int
    sha256: str
    name: str | None = None
    media_type: str | None = None

    def close(self) -> None:
        """Give the disk space back. May be called again."""
        self.file.close()

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(slots=True)
class Received:
    """The body of one request.

    `fields` is the JSON object without `input_audio.data`, or the form's fields, nested, their
    values still text. `dropped` names what was left out of it: strings of more than 64 KiB that are
    not the recording, as paths (`prompt`, `keyterms[2]`).
    """

    fields: dict[str, Any]
    upload: Upload | None
    kind: Kind
    dropped: list[str] = field(default_factory=list)
