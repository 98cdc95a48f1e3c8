from voxgate.cli.progress import (
    BAR_WIDTH,
    NAME_WIDTH,
    SpeedSummary,
    TranscriptionSpeed,
    format_clock,
)
from voxgate.client.request import UploadProgress
from voxgate.pipeline.job import JobPhase, JobProgress


def test_clock() -> None:
    assert [format_clock(5), format_clock(65.9), format_clock(3600 + 61)] == [
        "0:05",
        "1:05",
        "1:01:01",
    ]


def test_a_speed_needs_two_updates() -> None:
    speed = TranscriptionSpeed()
    assert speed.times_real_time is None
    speed.update(JobProgress(3.0, None))
    assert speed.times_real_time is None
    speed.update(JobProgress(9.0, 60.0))
    assert speed.sound_s == 6.0
    assert speed.line().startswith("0:09 of 1:00, ")
    assert speed.line().endswith(" left")


class Clock:
    """Seconds that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_is_left_follows_from_all_the_time_since_the_model_began() -> None:
    """Windows of 60 s that take 30 s together: the estimate never falls below the truth."""
    clock = Clock()
    speed = TranscriptionSpeed(clock=clock)
    speed.update(JobProgress(0.0, 240.0))
    clock.now = 30.0
    speed.update(JobProgress(60.0, 240.0))
    assert speed.line() == "1:00 of 4:00, 2.0 x, 1:30 left"
    clock.now = 45.0  # nothing was done since
    assert speed.line() == "1:00 of 4:00, 1.3 x, 2:15 left"
    clock.now = 60.0
    speed.update(JobProgress(120.0, 240.0))
    assert speed.line() == "2:00 of 4:00, 2.0 x, 1:00 left"
    clock.now = 118.6
    speed.update(JobProgress(237.2, 240.0))
    assert speed.line() == "3:57 of 4:00, 2.0 x, 0:02 left"  # 1.4 s: not 0:00


def test_nothing_is_left_to_say_at_the_end_or_beyond_what_the_header_states() -> None:
    clock = Clock()
    speed = TranscriptionSpeed(clock=clock)
    speed.update(JobProgress(0.0, 60.0))
    clock.now = 20.0
    speed.update(JobProgress(60.0, 60.0))
    assert speed.line() == "1:00 of 1:00, 3.0 x, finishing"
    speed.update(JobProgress(80.0, 60.0))
    assert speed.line() == "1:20, 4.0 x real time"


def test_before_there_is_a_speed_the_phase_and_its_time_are_shown() -> None:
    speed = TranscriptionSpeed()
    assert speed.line() == "starting 0:00"
    said = []
    phases: tuple[JobPhase, ...] = ("decoding", "loading", "recognising")
    for phase in phases:
        speed.update(JobProgress(0.0, 60.0, phase))
        said.append(speed.line())
    assert said == [
        "decoding 0:00, 1:00 of sound",
        "loading the model 0:00, 1:00 of sound",
        "recognising 0:00, 1:00 of sound",
    ]


def test_with_a_server_the_bytes_are_shown_then_how_long_it_works() -> None:
    clock = Clock()
    speed = TranscriptionSpeed("waiting for the server", clock)
    speed.update(UploadProgress(0, 3 * 2**20))
    assert speed.line() == "sending 0 B of 3.0 MiB"
    speed.update(UploadProgress(2**20, 3 * 2**20))
    assert speed.line() == "sending 1.0 MiB of 3.0 MiB"
    clock.now = 5.0
    speed.update(UploadProgress(3 * 2**20, 3 * 2**20, "sent"))
    clock.now = 47.0
    assert speed.line() == "recognising 0:42"
    speed.update(UploadProgress(0, 3 * 2**20))  # a busy server gets it again
    assert speed.line() == "sending 0 B of 3.0 MiB"
    speed.update(JobProgress(60.0, 60.0))
    assert speed.line() == "recognising 0:00, 1:00 of sound"


def test_the_longest_line_fits_a_terminal_of_80_columns() -> None:
    clock = Clock()
    speed = TranscriptionSpeed(clock=clock)
    speed.update(JobProgress(0.0, 36_000.0, "loading"))
    clock.now = 600.0
    room = 80 - len("* ") - NAME_WIDTH - len(" ") - BAR_WIDTH - len(" ")
    assert len(speed.line()) <= room
    speed.update(JobProgress(0.0, 36_000.0))
    clock.now = 1200.0
    speed.update(JobProgress(6_000.0, 36_000.0))
    assert len(speed.line()) <= room


def test_loading_is_no_part_of_the_speed() -> None:
    speed = TranscriptionSpeed()
    speed.update(JobProgress(0.0, 60.0, "loading"))
    assert speed.times_real_time is None
    speed.update(JobProgress(5.0, 60.0))
    assert speed.sound_s == 0.0  # counted from here


def test_the_summary_without_recognition_covers_the_whole_command() -> None:
    figures = SpeedSummary()
    figures.add(10.0, TranscriptionSpeed())
    assert figures.sentence().startswith("10.0 s of sound in ")
    assert "once it recognised" not in figures.sentence()
