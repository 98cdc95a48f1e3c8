"""How much of a body is taken, and the sentences for more."""

from __future__ import annotations

from voxgate.errors import BodyTooLargeError

TEXT_BYTES = 256 * 1024
"""All of a body that is not the recording: keys, values, the headers of a form's parts."""


def recording_too_large(limit: int) -> BodyTooLargeError:
    """The recording itself has more than `limit` bytes."""
    return BodyTooLargeError(
        f"The recording is larger than {_size(limit)}, the limit here. Send it compressed (FLAC, "
        f"Opus or MP3) or in parts, or let this server's operator raise VOXGATE_MAX_UPLOAD_BYTES."
    )


def text_too_large() -> BodyTooLargeError:
    """What stands around the recording has more than `TEXT_BYTES`."""
    return BodyTooLargeError(
        f"The text around the recording is larger than {TEXT_BYTES // 1024} KiB, the limit for "
        f"all fields together. Send shorter fields."
    )


def body_too_large(most: int, recording: int) -> BodyTooLargeError:
    """The whole body has more than the `most` bytes that the largest `recording` can need."""
    return BodyTooLargeError(
        f"The body is larger than {_size(most)}, more than a recording of {_size(recording)}, the "
        f"limit here, can need. Send it compressed (FLAC, Opus or MP3) or in parts, or let this "
        f"server's operator raise VOXGATE_MAX_UPLOAD_BYTES."
    )


def _size(count: int) -> str:
    return f"{count / 1e6:,.0f} MB" if count >= 10**6 else f"{count:,} bytes"
