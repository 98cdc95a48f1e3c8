"""Whisper base through the whole path, beside faster-whisper with the same weights and threads.

    VOXGATE_AUDIO=FOLDER python -m benchmarks.whisper

Word error rates are those of all recordings of a folder together, without case and punctuation.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import jiwer
import psutil
from faster_whisper import BatchedInferencePipeline, WhisperModel, decode_audio
from tests.scripted import Scripted

from benchmarks.recordings import SAMPLE, recordings_of
from benchmarks.table import Row, median_s, show
from benchmarks.whole_path import normalize
from voxgate.audio.spool import SAMPLE_BYTES, SAMPLE_RATE
from voxgate.hardware.cores import thread_count
from voxgate.models.available import AvailableModels, install_model
from voxgate.models.catalogue import WHISPER_CAPABILITIES
from voxgate.pipeline.session import Session
from voxgate.settings import Settings
from voxgate.whisper.aligner import align_text
from voxgate.whisper.footprint import CALLS
from voxgate.whisper.model import Whisper

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

NAME = "openai/whisper-base"
KINDS = ("english", "speech", "speakers")  # folders of VOXGATE_AUDIO
POLL_S = 0.05


async def rows(folder: Path) -> list[Row]:
    """Measure word error rates, speed, memory, and several calls at once."""
    settings = Settings.read()
    checkpoint = install_model(AvailableModels(settings)[NAME], settings).checkpoint
    assert checkpoint is not None
    threads = thread_count()
    peer = WhisperModel(str(checkpoint), device="cpu", compute_type="int8", cpu_threads=threads)
    table = list[Row]()
    async with Session(settings) as session:
        for kind in ("speech", "english"):
            table += await _accuracy(session, peer, kind)
        if recordings := english_recordings():
            table += await _speed(session, peer, ten_minutes(recordings, folder / "joined.wav"))
    return [*table, _calls_row(checkpoint), _align_row(checkpoint)]


async def _accuracy(session: Session, peer: WhisperModel, kind: str) -> list[Row]:
    """Return the word error rates on a folder of VOXGATE_AUDIO; nothing without the folder."""
    said, ours, theirs = list[str](), list[str](), list[str]()
    for path, words in recordings_of(kind):
        if not normalize(words):
            continue
        said.append(normalize(words))
        ours.append(normalize((await session.transcribe(path, model=NAME)).text))
        segments, _ = peer.transcribe(str(path))
        theirs.append(normalize(" ".join(segment.text for segment in segments)))
    if not said:
        return []
    count = sum(len(text.split()) for text in said)
    figure = f"{jiwer.wer(said, ours):.1%} of {count} words"
    peers = f"faster-whisper: {jiwer.wer(said, theirs):.1%}"
    return [Row(f"word error rate on {kind}/, {NAME}", figure, peers)]


def english_recordings() -> list[Path]:
    """Return the recordings of English in VOXGATE_AUDIO, with and without words."""
    folder = Path(os.environ.get("VOXGATE_AUDIO", "none"))
    sounds = (path for kind in KINDS for path in sorted((folder / kind).glob("*")))
    return [path for path in sounds if path.suffix in {".wav", ".flac", ".mp3", ".opus"}]


def ten_minutes(recordings: Sequence[Path], path: Path) -> Path:
    """Write ten minutes of the recordings, with half a second between two of them.

    They are not looped: a loop would be taken for the model's own.
    """
    pcm16 = bytes(SAMPLE_RATE).join(_pcm16(recording) for recording in recordings)
    pcm16 = pcm16[: 600 * SAMPLE_RATE * SAMPLE_BYTES]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(SAMPLE_BYTES)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(pcm16)
    return path


async def _speed(session: Session, peer: WhisperModel, path: Path) -> list[Row]:
    await session.transcribe(SAMPLE, model=NAME)  # start and warm up everything
    seconds = (await session.transcribe(path, model=NAME)).duration
    peak, ours_s = await _with_peak(session.transcribe(path, model=NAME))
    own_s = await _own_s(path)
    what = f"{seconds / 60:.1f} minutes of {', '.join(KINDS)}, {NAME}"
    figure = f"{ours_s / seconds:.3f} real-time factor"
    return [
        Row(
            f"{what}, words with times beside a peer without",
            figure,
            _peer_figures(peer, path, seconds, words=False),
            "at most the faster one",
        ),
        Row(
            "the same beside a peer with times",
            figure,
            _peer_figures(peer, path, seconds, words=True),
        ),
        Row("of it to decode, detect, cut and join", f"{own_s / seconds:.4f} real-time factor"),
        Row(f"peak memory of its engine, {NAME}", f"{peak / 2**20:.0f} MiB"),
    ]


def _peer_figures(peer: WhisperModel, path: Path, seconds: float, *, words: bool) -> str:
    """Return the peer's real-time factors, with or without the times of words."""
    batched = BatchedInferencePipeline(peer)
    one_s = median_s(lambda: list(peer.transcribe(str(path), word_timestamps=words)[0]), 1)
    many_s = median_s(
        lambda: list(batched.transcribe(str(path), batch_size=4, word_timestamps=words)[0]), 1
    )
    return f"faster-whisper: {one_s / seconds:.3f}; batched {many_s / seconds:.3f}"


async def _own_s(path: Path) -> float:
    """Return the seconds of everything but the model: its provider answers at once."""
    instant = Scripted(concurrency=WHISPER_CAPABILITIES.concurrency, times="word")
    async with Session(Settings.read(), start=lambda *_: instant) as session:
        await session.transcribe(SAMPLE, model=NAME)
        start_s = time.perf_counter()
        await session.transcribe(path, model=NAME)
        return time.perf_counter() - start_s


async def _with_peak(work: Coroutine[object, object, object]) -> tuple[int, float]:
    """Return the most memory of the largest child process, in bytes, and the seconds of `work`."""
    task, start_s, peak = asyncio.create_task(work), time.perf_counter(), 0
    while not task.done():
        for child in psutil.Process().children(recursive=True):
            try:
                peak = max(peak, child.memory_info().rss)
            except psutil.NoSuchProcess:
                continue  # a decoder has ended
        await asyncio.wait({task}, timeout=POLL_S)
    await task
    return peak, time.perf_counter() - start_s


def _calls_row(checkpoint: Path) -> Row:
    """Measure the voice note as four windows in the engine's calls at once, and in one call."""
    one, several = Whisper.load(checkpoint), Whisper.load(checkpoint, CALLS)
    features, prompt = [one.features(_pcm16(SAMPLE))] * 4, one.prompt("en")

    def recognise(model: Whisper, windows: int) -> None:
        model.generate(model.encode(features[:windows]), [prompt] * windows)

    together_s = median_s(lambda: recognise(one, 4), 3)
    with ThreadPoolExecutor(CALLS) as pool:
        calls = [several] * CALLS, [4 // CALLS] * CALLS
        at_once_s = median_s(lambda: list(pool.map(recognise, *calls)), 3)
    return Row(
        f"four windows in {CALLS} calls at once",
        f"{at_once_s:.2f} s",
        f"in one: {together_s:.2f} s",
    )


def _align_row(checkpoint: Path) -> Row:
    """Measure the times of the voice note's words, for a text that another model wrote."""
    model, sound = Whisper.load(checkpoint), _pcm16(SAMPLE)
    text = SAMPLE.with_suffix(".txt").read_text(encoding="utf-8").strip()

    def align() -> None:
        align_text(model, model.encode([model.features(sound)]), sound, text, "en")

    seconds = len(sound) / SAMPLE_BYTES / SAMPLE_RATE
    figure = f"{median_s(align, 5) / seconds:.3f} s for a second of sound"
    return Row(f"aligning {len(text.split())} words of {seconds:.1f} s, {NAME}", figure)


def _pcm16(path: Path) -> bytes:
    return bytes((decode_audio(str(path)) * 32767).astype("<i2").tobytes())


async def main() -> None:
    """Print the table. Takes five minutes."""
    with tempfile.TemporaryDirectory() as folder:
        show(await rows(Path(folder)))


if __name__ == "__main__":
    asyncio.run(main())
