from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.failures import raises
from tests.transcript.strategies import patient, transcripts
from voxgate.transcript.captions.layout import layout_captions
from voxgate.transcript.formats import WRITERS, find_writer, find_writers
from voxgate.transcript.formats.clock import format_timestamp
from voxgate.transcript.values import Notice, Segment, Transcript, Word

TALK = Transcript(
    segments=(
        Segment(
            "Fish & chips, please.",
            0.5,
            2.0004,
            (
                Word("Fish", 0.5, 0.8, confidence=0.97),
                Word("&", 0.8, 1.0),
                Word("chips,", 1.0, 1.4),
                Word("please.", 1.4, 2.0004),
            ),
            confidence=0.9,
        ),
        Segment("a --> b\tis\n\n<b>über</b> 你好", 3600.0, 3602.5, time_source="speech_region"),
    ),
    duration=3603.25,
    model="scripted",
    language="en",
    notices=(Notice("truncated_audio", "The recording is cut off."),),
)
SILENCE = Transcript((), 3.0, "scripted")

SRT = """\
1
00:00:00,500 --> 00:00:02,000
Fish & chips, please.

2
01:00:00,000 --> 01:00:02,500
a → b is <b>über</b> 你好
"""

VTT = """\
WEBVTT

00:00:00.500 --> 00:00:02.000
Fish &amp; chips, please.

01:00:00.000 --> 01:00:02.500
a --&gt; b is &lt;b&gt;über&lt;/b&gt; 你好
"""

TSV = """\
start\tend\ttext
500\t2000\tFish & chips, please.
3600000\t3602500\ta --> b is <b>über</b> 你好
"""

TXT = """\
Fish & chips, please.
a --> b is <b>über</b> 你好
"""

JSON = """\
{
  "text": "Fish & chips, please. a --> b\\tis\\n\\n<b>über</b> 你好",
  "language": "en",
  "model": "scripted",
  "warnings": [
    {
      "code": "truncated_audio",
      "sentence": "The recording is cut off."
    }
  ]
}
"""

VERBOSE_JSON = {
    "task": "transcribe",
    "language": "en",
    "duration": 3603.25,
    "model": "scripted",
    "text": "Fish & chips, please. a --> b\tis\n\n<b>über</b> 你好",
    "segments": [
        {
            "id": 0,
            "start": 0.5,
            "end": 2.0,
            "text": "Fish & chips, please.",
            "time_source": "recognised",
            "confidence": 0.9,
        },
        {
            "id": 1,
            "start": 3600.0,
            "end": 3602.5,
            "text": "a --> b\tis\n\n<b>über</b> 你好",
            "time_source": "speech_region",
        },
    ],
    "words": [
        {
            "word": "Fish",
            "start": 0.5,
            "end": 0.8,
            "time_source": "recognised",
            "confidence": 0.97,
        },
        {"word": "&", "start": 0.8, "end": 1.0, "time_source": "recognised"},
        {"word": "chips,", "start": 1.0, "end": 1.4, "time_source": "recognised"},
        {"word": "please.", "start": 1.4, "end": 2.0, "time_source": "recognised"},
    ],
    "warnings": [{"code": "truncated_audio", "sentence": "The recording is cut off."}],
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [("txt", TXT), ("srt", SRT), ("vtt", VTT), ("tsv", TSV), ("json", JSON)],
)
def test_a_talk_is_written_exactly(name: str, expected: str) -> None:
    assert find_writer(name).write(TALK) == expected


def test_a_talk_is_written_verbosely() -> None:
    written = find_writer("verbose_json").write(TALK)

    assert json.loads(written) == VERBOSE_JSON
    assert list(json.loads(written)) == list(VERBOSE_JSON)
    assert "你好" in written


def test_a_table_of_split_channels_says_the_channel() -> None:
    parties = (Segment("Are you\tthere?", 0, 1, channel=1), Segment("Yes.", 0.5, 1.4, channel=2))
    assert find_writer("tsv").write(Transcript(parties, 3.0, "scripted")) == (
        "start\tend\ttext\tchannel\n0\t1000\tAre you there?\t1\n500\t1400\tYes.\t2\n"
    )


@pytest.mark.parametrize("name", [name for name, each in WRITERS.items() if each.shows_channels])
def test_every_format_that_shows_channels_shows_their_names(name: str) -> None:
    parties = (
        Segment("Are you there?", 0, 1, channel=1),
        Segment(" ", 1, 1.2, channel=2),
        Segment("Yes.", 1.5, 2.4, channel=2),
    )
    written = find_writer(name).write(
        Transcript(parties, 3.0, "scripted", channel_names=("Caller", "Agent"))
    )
    assert "Caller" in written
    assert "Agent" in written
    if name == "txt":
        assert written == "Caller: Are you there?\nAgent: Yes.\n"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("txt", ""),
        ("srt", ""),
        ("vtt", "WEBVTT\n"),
        ("tsv", "start\tend\ttext\n"),
        ("json", '{\n  "text": "",\n  "model": "scripted"\n}\n'),
    ],
)
def test_silence_is_written_without_an_empty_line(name: str, expected: str) -> None:
    assert find_writer(name).write(SILENCE) == expected


def test_silence_is_written_verbosely_without_unknown_fields() -> None:
    assert json.loads(find_writer("verbose_json").write(SILENCE)) == {
        "task": "transcribe",
        "duration": 3.0,
        "model": "scripted",
        "text": "",
        "segments": [],
    }


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.0, "00:00:00,000"),
        (59.9996, "00:01:00,000"),
        (3599.9999, "01:00:00,000"),
        (3661.001, "01:01:01,001"),
        (360_000.5, "100:00:00,500"),
    ],
)
def test_timestamps_are_rounded_once(seconds: float, expected: str) -> None:
    assert format_timestamp(seconds, ",") == expected


@pytest.mark.parametrize(
    ("lists", "names"),
    [
        (("srt,vtt",), ["srt", "vtt"]),
        (("SRT", "vtt, srt"), ["srt", "vtt"]),
        (("all",), list(WRITERS)),
        (("txt", "All"), list(WRITERS)),
    ],
)
def test_formats_are_listed_with_commas_in_any_case(
    lists: tuple[str, ...], names: list[str]
) -> None:
    assert [writer.name for writer in find_writers(lists)] == names


@pytest.mark.parametrize("lists", [("srt,",), ("srt,docx",), ("",)])
def test_an_unknown_format_in_a_list_is_named(lists: tuple[str, ...]) -> None:
    with raises("unknown_format", match="The formats are: txt, srt"):
        find_writers(lists)


def test_names_and_extensions_of_formats_are_unique() -> None:
    assert list(WRITERS) == ["txt", "srt", "vtt", "tsv", "json", "verbose_json"]
    assert all(find_writer(name).name == name for name in WRITERS)
    assert len({known.extension for known in WRITERS.values()}) == len(WRITERS)
    assert find_writer("verbose_json").extension == ".verbose.json"


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with raises("unknown_format", match=r"'doc'.*txt, srt, vtt, tsv, json, verbose_json"):
        find_writer("doc")


@pytest.mark.parametrize("name", WRITERS)
@given(transcript=transcripts())
@patient
def test_any_transcript_is_written_as_utf_8_with_a_newline_at_its_end(
    name: str, transcript: Transcript
) -> None:
    written = find_writer(name).write(transcript)

    assert written.encode().decode() == written
    assert written == "" or written[-1] == "\n"
    assert not written.endswith("\n\n")
    assert written != "" or not layout_captions(transcript)


# --- subtitles read back by the rules of the formats, independently of the writers ----------------


class Cue(NamedTuple):
    start_ms: int
    end_ms: int
    lines: list[str]


def parse_srt(text: str) -> list[Cue]:
    blocks = text.removesuffix("\n").split("\n\n") if text else []
    cues = []
    for number, block in enumerate(blocks, start=1):
        index, times, *lines = block.split("\n")
        assert index == str(number)
        cues.append(_cue(times, lines, ","))
    return cues


def parse_vtt(text: str) -> list[Cue]:
    header, *blocks = text.removesuffix("\n").split("\n\n")
    assert header == "WEBVTT"
    cues = [_cue(times, lines, ".") for times, *lines in (block.split("\n") for block in blocks)]
    escape = re.compile("&(?!amp;|lt;|gt;)")
    for cue in cues:
        for line in cue.lines:
            assert not set("<>") & set(line)
            assert not escape.search(line)
    return [Cue(start, end, [_unescaped(line) for line in lines]) for start, end, lines in cues]


def _cue(times: str, lines: list[str], point: str) -> Cue:
    time = rf"(\d\d+):([0-5]\d):([0-5]\d){re.escape(point)}(\d\d\d)"
    match = re.fullmatch(f"{time} --> {time}", times)
    assert match, times
    assert all(lines)
    assert lines
    assert not any("-->" in line for line in lines)
    numbers = [int(group) for group in match.groups()]
    return Cue(_milliseconds(numbers[:4]), _milliseconds(numbers[4:]), lines)


def _milliseconds(numbers: list[int]) -> int:
    hours, minutes, seconds, milliseconds = numbers
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds


def _unescaped(line: str) -> str:
    return line.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


@given(transcripts(), st.sampled_from(["srt", "vtt"]))
@patient
def test_subtitles_can_be_read_back(transcript: Transcript, name: str) -> None:
    cues = {"srt": parse_srt, "vtt": parse_vtt}[name](find_writer(name).write(transcript))

    read_lines = [line for cue in cues for line in cue.lines]
    lines = [line for caption in layout_captions(transcript) for line in caption.lines]
    arrow = {"srt": "\u2192", "vtt": "-->"}[name]
    assert read_lines == [line.replace("-->", arrow) for line in lines]
    assert all(cue.start_ms <= cue.end_ms for cue in cues)
    assert all(left.end_ms <= right.start_ms for left, right in pairwise(cues))


@given(transcripts())
@patient
def test_tables_have_a_row_of_three_fields_for_each_segment(transcript: Transcript) -> None:
    header, *rows = find_writer("tsv").write(transcript).removesuffix("\n").split("\n")

    assert header.split("\t") == ["start", "end", "text"]
    assert len(rows) == len(transcript.segments)
    assert all(int(row.split("\t")[0]) <= int(row.split("\t")[1]) for row in rows)
    assert all(len(row.split("\t")) == 3 for row in rows)
