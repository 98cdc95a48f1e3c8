from voxgate.cli.progress import SpeedSummary, TranscriptionSpeed, format_clock
from voxgate.pipeline.job import JobProgress


def test_clock() -> None:
    assert [format_clock(5), format_clock(65.9), format_clock(3600 + 61)] == [
        "0:05",
        "1:05",
        "1:01:01",
    ]


def test_a_speed_needs_two_updates() -> None:
    speed = TranscriptionSpeed()
    assert speed.times_real_time is None
    speed.update(3.0)
    assert speed.times_real_time is None
    assert speed.line(JobProgress(3.0, None)) == "0:03"
    speed.update(9.0)
    assert speed.sound_s == 6.0
    line = speed.line(JobProgress(9.0, 60.0))
    assert line.startswith("0:09 of 1:00, ")
    assert line.endswith(" left")


def test_the_summary_without_recognition_covers_the_whole_command() -> None:
    figures = SpeedSummary()
    figures.add(10.0, TranscriptionSpeed())
    assert figures.sentence().startswith("10.0 s of sound in ")
    assert "once it recognised" not in figures.sentence()
