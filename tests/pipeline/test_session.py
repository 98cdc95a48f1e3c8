"""The whole product from Python, with the built-in model."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import voxgate
from tests.failures import raises
from tests.processes import children, descendants, until
from tests.sounds import RATE, SAMPLE, encode, sample
from voxgate import errors

README = Path(__file__).parents[2] / "README.md"


def test_a_recording_to_words_in_one_call() -> None:
    transcript = voxgate.transcribe(SAMPLE)
    assert "the train stopped outside the city" in transcript.text
    assert transcript.model == "Systran/faster-whisper-base"
    assert transcript.language == "en"
    assert transcript.duration == len(sample()) / RATE
    words = transcript.words
    assert all(0 <= w.start <= w.end <= transcript.duration for w in words)
    assert all(a.end <= b.start + 1e-9 for a, b in itertools.pairwise(words))
    train = next(word for word in words if word.text == "train")
    assert train.start == pytest.approx(3.19, abs=0.2)  # by ear, in the sample


def test_unknown_model_and_language_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(errors.UnknownModelError, match="Systran/faster-whisper-base"):
        voxgate.transcribe(SAMPLE, "Systran/faster-whisper-bass")
    with raises("unsupported_language", match=r"'Esperanto \(eo\)'"):
        voxgate.transcribe(SAMPLE, language="eo")
    with raises("unreadable_audio"):
        voxgate.transcribe(tmp_path / "none.wav")


async def test_the_blocking_call_is_refused_inside_a_loop() -> None:
    with pytest.raises(errors.UsageError, match=r"await voxgate\.transcribe_async"):
        voxgate.transcribe(SAMPLE)


def test_the_snippet_for_notebooks_works_where_a_loop_is_running(tmp_path: Path) -> None:
    """It is typed into `python -m asyncio`, which runs `await` in its loop as Jupyter does."""
    snippets = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    (snippet,) = (each for each in snippets if "await" in each)
    shutil.copy(SAMPLE, tmp_path / "meeting.m4a")  # the bytes decide
    result = subprocess.run(
        [sys.executable, "-m", "asyncio"],
        input=snippet,
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    assert "the train stopped outside the city" in result.stdout, result.stderr
    assert "Error" not in result.stderr


async def test_a_call_inside_a_loop_leaves_no_process() -> None:
    before = set(children(os.getpid()))
    transcript = await voxgate.transcribe_async(SAMPLE, language="en", times=False)
    assert "the train stopped outside the city" in transcript.text
    await until(lambda: set(children(os.getpid())) <= before, "the end of its processes")


def test_importing_voxgate_is_light() -> None:
    script = (
        "import sys, voxgate\n"
        "heavy = {'torch', 'av', 'numpy', 'fastapi', 'sqlalchemy', 'starlette', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"


async def test_an_engine_killed_in_the_middle_costs_no_word() -> None:
    # Windows far apart, since a model takes a text that it hears three times in one for a loop.
    long = encode(np.concatenate([sample(), np.zeros(20 * RATE, np.int16)] * 3), "x.wav")
    async with voxgate.Session(voxgate.Settings()) as session:
        whole = await session.transcribe(long)
        engines = [pid for pid in children(os.getpid()) if "voxgate.engine" in command(pid)]
        assert len(engines) == 1
        killed = list[int]()

        def on_progress(_: object) -> None:
            if not killed:
                killed.append(engines[0])
                os.kill(engines[0], signal.SIGKILL)

        again = await session.transcribe(long, on_progress=on_progress)
    assert killed
    # Numbers depend on how many windows are computed at once; words do not.
    assert [word.text for word in again.words] == [word.text for word in whole.words]
    assert whole.text.count("train stopped") == 3


async def test_a_closed_session_stays_closed() -> None:
    async with voxgate.Session(voxgate.Settings()) as session:
        pass
    with pytest.raises(errors.UsageError, match="closed"):
        await session.transcribe(SAMPLE)


async def test_sessions_leave_no_process(tmp_path: Path) -> None:
    before = set(descendants(os.getpid()))
    settings = voxgate.Settings(spool_dir=tmp_path)
    async with voxgate.Session(settings) as session:
        first, second = await asyncio.gather(
            session.transcribe(SAMPLE), session.transcribe(SAMPLE.read_bytes())
        )
        assert first.text == second.text
        assert set(descendants(os.getpid())) > before
    await until(lambda: set(descendants(os.getpid())) <= before, "the end of every process")
    assert list(tmp_path.iterdir()) == []


def command(pid: int) -> str:
    with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:  # noqa: PTH123
        return file.read().replace("\0", " ")
