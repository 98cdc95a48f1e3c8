"""`POST /playground/export`: a transcript, as it stands on the page, as a file."""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePath
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import Response

from voxgate.api.error_responses import error_response
from voxgate.errors import UsageError, VoxgateError
from voxgate.file_names import base_name
from voxgate.transcript.formats import WRITERS, docx
from voxgate.web.playground.edited_transcript import MAX_BYTES, EditedTranscript
from voxgate.web.signing.forms import check_script, read_at_most
from voxgate.web.signing.visitor import find_visitor

if TYPE_CHECKING:
    from starlette.requests import Request

PATIENCE_S = 300  # for the transcript to arrive
TEXT_FORMATS = {"txt": "txt", "srt": "srt", "vtt": "vtt", "json": "verbose_json"}
"""Formats of a download, each with the writer that has all that is known."""

FORMATS = (*TEXT_FORMATS, "docx")

_WRITER = ThreadPoolExecutor(1, thread_name_prefix="voxgate export")
"""Transcripts are written one after the other, beside all else that waits for a thread: the longest
take some seconds, and whoever sends many would hold up recordings."""

_NOT_IN_NAMES = re.compile(r'[<>:"|?*%]')  # no file of Windows may have the first six
_LEADING = ".-=+@ "  # hidden files, options of commands, formulas of spreadsheets
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
MAX_STEM = 150  # characters: an extension and a browser's number still fit


async def export(request: Request) -> Response:
    """Write a transcript in JSON in the format that the address names."""
    try:
        return await _exported(request)
    except VoxgateError as error:  # its reader is a script, which shows the sentence
        return error_response(request, error, None)


async def _exported(request: Request) -> Response:
    visitor = await find_visitor(request)
    if not visitor.signed_in:
        raise VoxgateError(
            "Your sign-in has ended. Sign in again in another tab, and repeat the download here: "
            "nothing is lost.",
            code="authentication",
        )
    check_script(request, visitor)
    name = request.query_params.get("format", "")
    if name not in FORMATS:
        raise UsageError(
            f"A transcript is not written as '{name[:60]}'. Choose one of {', '.join(FORMATS)}."
        )
    data = await read_at_most(request, MAX_BYTES, PATIENCE_S, "This transcript")
    return await asyncio.get_running_loop().run_in_executor(_WRITER, _written, data, name)


def file_name(recording: str, extension: str) -> str:
    """Return a name for a transcript, after that of its recording, which anybody may have chosen.

    It is no path, no hidden file, no device, no option of a command, and no formula.
    """
    stem = PurePath(base_name(recording) or "").stem
    stem = _NOT_IN_NAMES.sub("_", stem).lstrip(_LEADING).rstrip(". ")[:MAX_STEM]
    if not stem or _DEVICES.match(stem):
        stem = f"transcript{'-' * bool(stem)}{stem}"
    return f"{stem}{extension}"


def _written(data: bytearray, name: str) -> Response:
    edited = EditedTranscript.parse(data)
    transcript = edited.transcript()
    target = file_name(edited.name, f".{name}")
    if name == "docx":
        content, kind = docx.write(transcript, PurePath(target).stem), docx.MEDIA_TYPE
    else:
        writer = WRITERS[TEXT_FORMATS[name]]
        content = writer.write(transcript).encode()
        kind = f"{writer.media_type}; charset=utf-8"
    disposition = f"attachment; filename*=UTF-8''{quote(target)}"
    headers = {
        "Content-Disposition": disposition,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, no-store",
    }
    return Response(content, headers=headers, media_type=kind)


PAGES = (("POST", "/playground/export", export),)
