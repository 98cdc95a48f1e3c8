"""Error rates of Whisper base on real recordings, beside faster-whisper's of the same run.

    VOXGATE_AUDIO=FOLDER python -m benchmarks.accuracy [--starts 8] [speech english es fr …]

One row for each folder of English, and one for each language with words that people wrote down
(grade A in the folder's INDEX.md). Words are compared as Whisper's own normalisers write them; in
Chinese, Japanese and Thai, characters.

The sets are small: one word that is nearly heard otherwise is two percent of the Spanish ones. With
`--starts` every recording is heard so many times, with a little more silence before it each time,
and the rate is that of all; what each start has by itself stands in brackets.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import jiwer
from faster_whisper import WhisperModel
from transformers.models.whisper.english_normalizer import (
    BasicTextNormalizer,
    EnglishTextNormalizer,
)

from benchmarks.recordings import FFMPEG, recordings_of
from benchmarks.table import Row, show
from voxgate.hardware.cores import thread_count
from voxgate.models.available import AvailableModels
from voxgate.pipeline.session import Session
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

NAME = "openai/whisper-base"
STEP_MS = 130  # of silence from one start to the next: half a frame of 20 ms more each time
WITHOUT_SPACES = {"zh", "ja", "th"}
_GRADED = re.compile(r"^\| languages/(\S+) \| \S+ \| (\w+) \|.*words A")


async def rows(starts: int = 1, only: Collection[str] = ()) -> list[Row]:
    """Transcribe every recording twice from each start: by the whole path, and by faster-whisper.

    `only` names folders of English and languages; without any, all are measured.
    """
    checkpoint = AvailableModels(Settings.read())[NAME].checkpoint
    assert checkpoint is not None
    threads = thread_count()
    peer = WhisperModel(str(checkpoint), device="cpu", compute_type="int8", cpu_threads=threads)
    async with Session(Settings.read()) as session:
        both = _Both(session, peer, starts)
        return [
            await both.row(what, language, recordings)
            for (what, language), recordings in _sets().items()
            if not only or {what, language} & set(only)
        ]


def _sets() -> dict[tuple[str, str], list[tuple[Path, str]]]:
    """Return the recordings with their words, by folder and language."""
    sets: dict[tuple[str, str], list[tuple[Path, str]]] = defaultdict(list)
    for kind in ("speech", "english"):
        sets[kind, "en"] = [pair for pair in recordings_of(kind) if pair[1].strip()]
    index = Path(os.environ.get("VOXGATE_AUDIO", "none")) / "INDEX.md"
    lines = index.read_text(encoding="utf-8").splitlines() if index.is_file() else []
    languages = {found[1]: found[2] for line in lines if (found := _GRADED.match(line))}
    for path, words in recordings_of("languages"):
        if language := languages.get(path.name):
            sets["languages", language].append((path, words))
    sets = {names: recordings for names, recordings in sets.items() if recordings}
    return dict(sorted(sets.items(), key=lambda entry: (entry[0][0] == "languages", entry[0])))


@dataclass(frozen=True)
class _Both:
    """The two that hear the same recordings."""

    session: Session
    peer: WhisperModel
    starts: int

    async def row(self, what: str, language: str, recordings: list[tuple[Path, str]]) -> Row:
        said = [_normalized(words, language) for _, words in recordings]
        ours, theirs = list[list[str]](), list[list[str]]()
        for start in range(self.starts):
            with tempfile.TemporaryDirectory() as folder:
                paths = [_later(path, start * STEP_MS, Path(folder)) for path, _ in recordings]
                texts = [(await self.session.transcribe(path, model=NAME)).text for path in paths]
                ours.append([_normalized(text, language) for text in texts])
                theirs.append([_normalized(_heard_by(self.peer, path), language) for path in paths])
        unit = "characters" if language in WITHOUT_SPACES else "words"
        count = sum(len(text) if unit == "characters" else len(text.split()) for text in said)
        return Row(
            f"{what}/, {language}, {count} {unit}",
            _rate(said, ours, language),
            f"faster-whisper: {_rate(said, theirs, language)}",
        )


def _later(path: Path, milliseconds: int, folder: Path) -> Path:
    """Return a copy with silence before it, in `folder`; the recording itself for none."""
    if not milliseconds:
        return path
    later = folder / f"{path.name}.flac"
    delay = ("-af", f"adelay={milliseconds}:all=1", "-vn")
    subprocess.run(
        [FFMPEG, "-v", "error", "-nostdin", "-y", "-i", str(path), *delay, str(later)], check=True
    )
    return later


def _heard_by(peer: WhisperModel, path: Path) -> str:
    segments, _ = peer.transcribe(str(path))
    return " ".join(segment.text for segment in segments)


def _rate(said: list[str], heard: Sequence[list[str]], language: str) -> str:
    """Return the rate of all starts, and those of each where there are several."""
    rate = jiwer.cer if language in WITHOUT_SPACES else jiwer.wer
    whole = f"{rate(said * len(heard), [text for texts in heard for text in texts]):.1%}"
    if len(heard) == 1:
        return whole
    return f"{whole} ({', '.join(f'{100 * rate(said, texts):.1f}' for texts in heard)})"


def _normalized(text: str, language: str) -> str:
    if language == "en":
        plain: str = EnglishTextNormalizer({})(text)  # type: ignore[no-untyped-call]
        return plain
    plain = BasicTextNormalizer()(text)
    return plain.replace(" ", "") if language in WITHOUT_SPACES else plain


async def main() -> None:
    """Print the table. Takes five minutes for each start."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--starts", type=int, default=1, help="of each recording")
    parser.add_argument("only", nargs="*", help="folders of English, and languages")
    arguments = parser.parse_args()
    if arguments.starts < 1:
        parser.error("--starts must be at least 1")
    known = sorted({name for names in _sets() for name in names} - {"languages"})
    if unknown := ", ".join(sorted(set(arguments.only) - set(known))):
        there = ", ".join(known) or "none: set VOXGATE_AUDIO"
        parser.error(f"there are no recordings of {unknown}; those that there are: {there}")
    show(await rows(arguments.starts, arguments.only))


if __name__ == "__main__":
    asyncio.run(main())
