"""Error rates of Whisper base on real recordings, beside faster-whisper's of the same run.

    VOXGATE_AUDIO=FOLDER python -m benchmarks.accuracy

One row for each folder of English, and one for each language with words that people wrote down
(grade A in the folder's INDEX.md). Words are compared as Whisper's own normalisers write them; in
Chinese, Japanese and Thai, characters.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import defaultdict
from pathlib import Path

import jiwer
from faster_whisper import WhisperModel
from transformers.models.whisper.english_normalizer import (
    BasicTextNormalizer,
    EnglishTextNormalizer,
)

from benchmarks.recordings import recordings_of
from benchmarks.table import Row, show
from voxgate.hardware.cores import thread_count
from voxgate.models.available import AvailableModels
from voxgate.pipeline.session import Session
from voxgate.settings import Settings

NAME = "openai/whisper-base"
WITHOUT_SPACES = {"zh", "ja", "th"}
_GRADED = re.compile(r"^\| languages/(\S+) \| \S+ \| (\w+) \|.*words A")


async def rows() -> list[Row]:
    """Transcribe every recording twice: through the whole path, and by faster-whisper."""
    checkpoint = AvailableModels(Settings.read())[NAME].checkpoint
    assert checkpoint is not None
    threads = thread_count()
    peer = WhisperModel(str(checkpoint), device="cpu", compute_type="int8", cpu_threads=threads)
    async with Session(Settings.read()) as session:
        return [
            await _row(session, peer, what, language, recordings)
            for (what, language), recordings in _sets().items()
            if recordings
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
    return dict(sorted(sets.items(), key=lambda entry: (entry[0][0] == "languages", entry[0])))


async def _row(
    session: Session,
    peer: WhisperModel,
    what: str,
    language: str,
    recordings: list[tuple[Path, str]],
) -> Row:
    said, ours, theirs = list[str](), list[str](), list[str]()
    for path, words in recordings:
        said.append(_normalized(words, language))
        ours.append(_normalized((await session.transcribe(path, model=NAME)).text, language))
        segments, _ = peer.transcribe(str(path))
        theirs.append(_normalized(" ".join(segment.text for segment in segments), language))
    rate = jiwer.cer if language in WITHOUT_SPACES else jiwer.wer
    unit = "characters" if language in WITHOUT_SPACES else "words"
    count = sum(len(text) if unit == "characters" else len(text.split()) for text in said)
    return Row(
        f"{what}/, {language}, {count} {unit}",
        f"{rate(said, ours):.1%}",
        f"faster-whisper: {rate(said, theirs):.1%}",
    )


def _normalized(text: str, language: str) -> str:
    if language == "en":
        plain: str = EnglishTextNormalizer({})(text)  # type: ignore[no-untyped-call]
        return plain
    plain = BasicTextNormalizer()(text)
    return plain.replace(" ", "") if language in WITHOUT_SPACES else plain


async def main() -> None:
    """Print the table. Takes five minutes."""
    show(await rows())


if __name__ == "__main__":
    asyncio.run(main())
