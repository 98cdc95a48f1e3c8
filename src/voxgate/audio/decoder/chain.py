"""A file that holds several recordings, one after the other: `cat a.wav b.wav > both.wav`.

FFmpeg reads some such files to their end (most of MP3, FLAC and Ogg), and others only to the end of
the first recording. `recordings` opens each of them where the one before it ended.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from voxgate.audio.decoder.beginning import beginnings
from voxgate.audio.decoder.container import Container
from voxgate.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.audio.decoder.file import RegularFile
    from voxgate.audio.decoder.messages import DecoderJob
    from voxgate.audio.decoder.streamed_file import StreamedFile

SEARCH_BYTES: Final = 64 << 20  # after the last packet of sound
NEAR_BYTES: Final = 1 << 17  # two pages of Ogg: a recording that begins so soon follows directly
MAX_ATTEMPTS: Final = 100  # of opening what looks like a beginning


def recordings(file: RegularFile | StreamedFile, job: DecoderJob) -> Iterator[Container]:
    """Yield each recording of the job's file. The caller must read each one before the next.

    Raises `AudioError` if the first one cannot be opened.
    """
    container, start = _open(file, job), 0
    yield container
    while job.pcm is None:  # headerless sound has no beginning and no end
        whole = file.whole()
        container.examine_end(whole.part(start, whole.size))
        end = start + max(1, container.packets.end)  # never this recording again
        following = _open_next(whole, end, job, container)
        container.close()
        if following is None:
            container.examine_rest(whole.part(start, whole.size))
            return
        next_container, start = following
        if start - end < NEAR_BYTES:
            container.packets.incomplete = False
        container = next_container
        yield container


def _open_next(
    file: RegularFile, after: int, job: DecoderJob, before: Container
) -> tuple[Container, int] | None:
    """Open the first recording that begins after a position. Return it with its own position.

    One without the track that is asked for is left out, which `before` then says.
    """
    found = beginnings(file, after, min(after + SEARCH_BYTES, file.size))
    for start in islice(found, MAX_ATTEMPTS):
        try:
            return _open(file.part(start, file.size), job), start
        except AudioError as error:  # mostly, only its first bytes look like a recording
            before.lacks_track += job.track is not None and error.code == "no_sound_track"
    return None


def _open(file: RegularFile | StreamedFile, job: DecoderJob) -> Container:
    return Container(file, job.name, job.pcm, track=job.track, language=job.language)
