"""What the bench of hours reads from the progress line."""

from __future__ import annotations

from benchmarks.endurance import DONE

from voxgate.cli.progress import TranscriptionSpeed
from voxgate.pipeline.job import JobProgress


def test_only_a_position_is_one() -> None:
    """Before there is one, the line has the length of the sound."""
    speed = TranscriptionSpeed()
    speed.update(JobProgress(0.0, 10_800.0))
    assert speed.line().endswith("3:00:00 of sound")
    assert DONE.findall(speed.line()) == []
    speed.update(JobProgress(3_661.0, 10_800.0))
    assert DONE.findall(speed.line()) == ["1:01:01"]
