"""Recordings that a call names by their address: checked before any work, fetched in their turn."""

# ruff: noqa: PLC0415 (a call without addresses needs no HTTP client)
from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.cli.byte_bar import byte_bar
from voxgate.cli.inputs import InputRecording
from voxgate.cli.streams import has_terminal
from voxgate.printable import printable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from voxgate.remote.fetcher import Fetcher
    from voxgate.settings import Settings


def check_addresses(recordings: Iterable[InputRecording], settings: Settings) -> None:
    """Raise `VoxgateError` (`offline`) for an address that offline mode forbids."""
    for recording in recordings:
        if isinstance(recording.source, str):
            from voxgate.remote.recording_url import RecordingUrl

            _fetcher(recording, settings).admit(RecordingUrl.parse(recording.source))


@asynccontextmanager
async def opened_input(
    recording: InputRecording, settings: Settings, place: str = ""
) -> AsyncIterator[InputRecording]:
    """Yield the recording, fetched if it has an address: then its name is known, and its hash.

    `place` is that of the recording in the call, which a terminal shows before its name.
    Raises what `Fetcher.fetch` raises.
    """
    if not isinstance(recording.source, str):
        yield recording
        return
    from voxgate.remote.recording_url import RecordingUrl

    url = RecordingUrl.parse(recording.source)
    with _progress_bar(place, recording.name) as on_bytes:
        fetched = await _fetcher(recording, settings).fetch(url, on_bytes)
    with fetched:
        fetched.file.seek(0)
        yield InputRecording(fetched.file, fetched.name, Path(fetched.name), fetched.sha256)


def _fetcher(recording: InputRecording, settings: Settings) -> Fetcher:
    """Return what fetches from everywhere: addresses are what the user typed."""
    from voxgate.audio.source import audio_too_large
    from voxgate.remote.address_policy import AddressPolicy
    from voxgate.remote.fetcher import Fetcher

    return Fetcher(
        settings,
        AddressPolicy(everything=True),
        limit=settings.max_source_bytes,
        too_large=partial(audio_too_large, recording.name),
    )


@contextmanager
def _progress_bar(place: str, name: str) -> Iterator[Callable[[int, int | None], None]]:
    """Yield a callback that draws the bytes so far, and all of them, on a terminal."""
    if not has_terminal():
        yield lambda _done, _total: None
        return

    with byte_bar() as bar:
        task = bar.add_task(f"{place}fetching {printable(name)}", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
