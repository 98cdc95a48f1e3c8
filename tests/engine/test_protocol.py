import json
from dataclasses import fields

import pytest

from voxgate.engine.protocol import (
    EventLine,
    Failure,
    Health,
    decode,
    decode_options,
    encode,
    encode_options,
)
from voxgate.errors import (
    EngineBusyError,
    EngineError,
    EngineRefusedError,
    OptionError,
    UnsupportedLanguageError,
    UsageError,
    VoxgateError,
)
from voxgate.transcript.values import Delta, Done, Notice, Options, Progress, Segment, Word

WORD = Word("naïve\n", 0.1, 0.4, 0.5)
LINES: list[EventLine] = [
    Delta("zwölf \u2028 Zeilen"),
    Segment("naïve\n", 0.1, 0.4, (WORD,), 0.5),
    Segment("", 1, 1, time_source="interpolated"),
    Progress(0.0),
    Done(),
    Done("en", (Notice("loop", "A loop was cut."),)),
    Done(tokens=7),
    Failure("engine_error", "It broke.", retryable=True),
]


@pytest.mark.parametrize("line", LINES, ids=repr)
def test_a_line_comes_back_as_it_was(line: EventLine) -> None:
    wire = encode(line)
    assert wire.isascii()
    assert wire.count(b"\n") == 1
    assert decode(wire) == line


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[1]", "an object"),
        (b"[" * 100_000, "too deeply"),
        (b"{}", "'type' is missing"),
        (b'{"type":"dance"}', "'dance' is no type"),
        (b'{"type":"delta"}', "'text' is missing"),
        (b'{"type":"delta","text":1}', "'text' must be a string"),
        (b'{"type":"delta","text":"a","pitch":1}', "'pitch' is not known"),
        (b'{"type":"progress","audio_s":NaN}', "NaN"),
        (b'{"type":"progress","audio_s":1e999}', "out of range"),
        (b'{"type":"progress","audio_s":-1}', "out of range"),
        (b'{"type":"progress","audio_s":true}', "must be a number"),
        (b'{"type":"progress","audio_s":%d}' % 10**400, "out of range"),
        (b'{"type":"done","tokens":-1}', "'tokens' must be a whole number"),
        (b'{"type":"done","tokens":1.5}', "'tokens' must be a whole number"),
        (b'{"type":"done","notices":{}}', "must be a list"),
        (b'{"type":"done","notices":[1]}', "an object"),
        (b'{"type":"done","notices":[{"code":"a","sentence":"b","x":null}]}', "'x' is not known"),
        (b'{"type":"error","code":"a","sentence":"b","retryable":1}', "true or false"),
        (b'{"type":"segment","text":"a","start":2,"end":1,"time_source":"recognised"}', "before"),
        (b'{"type":"segment","text":"a","start":1,"end":1,"time_source":"guess"}', "'guess'"),
        (
            b'{"type":"segment","text":"","start":1,"end":1,"confidence":1.5}',
            "'confidence' is out of range",
        ),
    ],
)
def test_a_malformed_line_is_an_error_that_says_why(line: bytes, why: str) -> None:
    with pytest.raises(EngineError, match="malformed") as caught:
        decode(line)
    assert why in caught.value.sentence


def test_every_option_travels() -> None:
    options = Options(
        language="en",
        temperature=0.7,
        top_p=0.9,
        seed=2**63 - 1,
        max_tokens=5,
        stop=("end.", "ß\n"),
        frequency_penalty=-2.0,
        presence_penalty=1.5,
        vocabulary=("Voxgate", "vocabulaire français"),
    )
    assert all(options.asks(field.name) for field in fields(Options))
    assert encode_options(options).isascii()
    assert decode_options(encode_options(options)) == options
    assert decode_options(encode_options(Options())) == Options()
    assert decode_options("{}") == Options()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("[]", "an object"),
        ('{"language":1}', "'language' must be a string"),
        ('{"speed":2}', "'speed' is not known"),
        ('{"speed":null}', "'speed' is not known"),
        ('{"temperature":"1"}', "'temperature' must be a number"),
        ('{"temperature":NaN}', "NaN"),
        ('{"temperature":-1e999}', "'temperature' is out of range"),
        ('{"seed":-1}', "'seed' must be a whole number"),
        ('{"seed":1.0}', "'seed' must be a whole number"),
        ('{"seed":9223372036854775808}', "'seed' is out of range"),
        ('{"max_tokens":true}', "'max_tokens' must be a whole number"),
        ('{"stop":"end"}', "'stop' must be a list of strings"),
        ('{"stop":[1]}', "'stop' must be a list of strings"),
        ('{"vocabulary":"Voxgate"}', "'vocabulary' must be a list of strings"),
    ],
)
def test_malformed_options_are_refused(text: str, why: str) -> None:
    with pytest.raises(UsageError, match="malformed") as caught:
        decode_options(text)
    assert why in caught.value.sentence


@pytest.mark.parametrize(
    "text",
    [
        '{"temperature":2.1}',
        '{"temperature":-0.1}',
        '{"top_p":1.1}',
        '{"max_tokens":0}',
        '{"stop":[""]}',
        '{"frequency_penalty":-3}',
        '{"presence_penalty":3}',
    ],
)
def test_options_out_of_range_are_refused_by_their_name(text: str) -> None:
    (name,) = json.loads(text)
    with pytest.raises(UsageError, match=f"'{name}'"):
        decode_options(text)


@pytest.mark.parametrize(
    "error",
    [
        *(UsageError("a"), UnsupportedLanguageError("b"), OptionError("c")),
        *(EngineError("d"), EngineBusyError("e")),
    ],
    ids=repr,
)
def test_a_known_error_comes_out_as_the_same(error: VoxgateError) -> None:
    arrived = Failure.of(error).error()
    assert type(arrived) is type(error)
    assert arrived.sentence == error.sentence


def test_an_unknown_error_keeps_whether_a_retry_helps() -> None:
    assert isinstance(Failure("cuda_oom", "s", retryable=True).error(), EngineError)
    final = Failure("engine_error", "s", retryable=False).error()
    assert isinstance(final, EngineRefusedError)
    assert not final.retryable


def test_health_comes_back_as_it_was() -> None:
    for age in (None, 0.5):
        health = Health("a/b", 12, "working", 1, 2, age, taken=3, idle_s=age)
        assert Health.decode(health.encode()) == health


@pytest.mark.parametrize("change", [{"pid": -1}, {"pid": True}, {"model": None}, {"mood": "good"}])
def test_malformed_health_is_an_error(change: dict[str, object]) -> None:
    wire = json.loads(Health("a/b", 12, "idle", 0, 0, None, taken=0, idle_s=4.5).encode())
    with pytest.raises(EngineError, match="health"):
        Health.decode(json.dumps(wire | change).encode())
