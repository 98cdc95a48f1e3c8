from voxgate.cli.progress import SpeedSummary, TranscriptionSpeed, format_clock
from voxgate.pipeline.job import JobProgress


def test_clock() -> None:
    assert [format_clock(5), format_clock(65.9), format_clock(3600 + 61)] == [
        "0:05",
        "1:05",
        "1:01:01",
    ]


def test_a_pace_needs_two_signs() -> None:
    pace = TranscriptionSpeed()
    assert pace.times_real_time is None
    pace.heard(3.0)
    assert pace.times_real_time is None
    assert pace.line(JobProgress(3.0, None)) == "0:03"
    pace.heard(9.0)
    assert pace.sound_s == 6.0
    line = pace.line(JobProgress(9.0, 60.0))
    assert line.startswith("0:09 of 1:00, ")
    assert line.endswith(" left")


def test_figures_without_recognition_are_of_the_whole() -> None:
    figures = SpeedSummary()
    figures.add(10.0, TranscriptionSpeed())
    assert figures.line().startswith("10.0 s of sound in ")
    assert "once it recognised" not in figures.line()
