import json
from dataclasses import fields

import pytest

from voxgate.engine.protocol import (
    MAX_TEXT,
    EventLine,
    Failure,
    Health,
    decode,
    decode_alignment,
    decode_options,
    encode,
    encode_alignment,
    encode_options,
)
from voxgate.errors import EngineError, UsageError, VoxgateError
from voxgate.transcript.values import (
    Decoding,
    Delta,
    Done,
    Notice,
    Options,
    Progress,
    Segment,
    Word,
)

WORD = Word("naïve\n", 0.1, 0.4, 0.5)
LINES: list[EventLine] = [
    Delta("zwölf \u2028 Zeilen"),
    Segment("naïve\n", 0.1, 0.4, (WORD,), 0.5),
    Segment("", 1, 1, time_source="interpolated"),
    Progress(0.0),
    Done(),
    Done("en", (Notice("loop", "A loop was cut."),)),
    Done(tokens=7),
    Done("de", language_probability=0.75),
    Segment("a a a", 0, 1, doubt="repeats itself", decoding=Decoding(-0.5, 2.5, 0.25, 0.2)),
    Failure("engine_error", "It broke.", retryable=True),
]


WIRE = [
    b'{"type":"delta","text":"zw\\u00f6lf \\u2028 Zeilen"}\n',
    (
        b'{"type":"segment","text":"na\\u00efve\\n","start":0.1,"end":0.4,"words":[{"text":"na\\u00efve\\n",'
        b'"start":0.1,"end":0.4,"confidence":0.5,"time_source":"recognised"}],"confidence":0.5,'
        b'"time_source":"recognised"}\n'
    ),
    (
        b'{"type":"segment","text":"","start":1,"end":1,"words":[],"confidence":null,'
        b'"time_source":"interpolated"}\n'
    ),
    b'{"type":"progress","audio_s":0.0}\n',
    b'{"type":"done","language":null,"notices":[],"tokens":0}\n',
    (
        b'{"type":"done","language":"en","notices":[{"code":"loop","sentence":"A loop was cut."}],'
        b'"tokens":0}\n'
    ),
    b'{"type":"done","language":null,"notices":[],"tokens":7}\n',
    b'{"type":"done","language":"de","notices":[],"tokens":0,"language_probability":0.75}\n',
    (
        b'{"type":"segment","text":"a a a","start":0,"end":1,"words":[],"confidence":null,'
        b'"time_source":"recognised","doubt":"repeats itself","decoding":{"log_probability":-0.5,'
        b'"compression_ratio":2.5,"no_speech_probability":0.25,"temperature":0.2}}\n'
    ),
    b'{"type":"error","code":"engine_error","sentence":"It broke.","retryable":true}\n',
]


@pytest.mark.parametrize(("line", "wire"), [*zip(LINES, WIRE, strict=True)], ids=repr)
def test_a_line_has_these_bytes(line: EventLine, wire: bytes) -> None:
    assert encode(line) == wire


@pytest.mark.parametrize("line", LINES, ids=repr)
def test_a_line_comes_back_as_it_was(line: EventLine) -> None:
    wire = encode(line)
    assert wire.isascii()
    assert wire.count(b"\n") == 1
    assert decode(wire) == line


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "truncated"),
        (b"\xff", "JSON is malformed"),
        (b"[1]", "Expected `object`, got `array`"),
        (b"[" * 100_000, "Expected `object`, got `array`"),
        (b'{"x":' + b"[" * 100_000, "recursion depth"),
        (b"{}", "missing required field `type`"),
        (b'{"type":"dance"}', "Invalid value 'dance' - at `$.type`"),
        (b'{"type":"delta"}', "missing required field `text`"),
        (b'{"type":"delta","text":1}', "Expected `str`, got `int` - at `$.text`"),
        (b'{"type":"delta","text":"a","pitch":1}', "unknown field `pitch`"),
        (b'{"type":"progress","audio_s":NaN}', "JSON is malformed"),
        (b'{"type":"progress","audio_s":1e999}', "out of range - at `$.audio_s`"),
        (b'{"type":"progress","audio_s":-1}', "Expected `float` >= 0.0 - at `$.audio_s`"),
        (b'{"type":"progress","audio_s":true}', "got `bool` - at `$.audio_s`"),
        (b'{"type":"progress","audio_s":%d}' % 10**400, "out of range - at `$.audio_s`"),
        (b'{"type":"done","tokens":-1}', "Expected `int` >= 0 - at `$.tokens`"),
        (b'{"type":"done","tokens":1.5}', "got `float` - at `$.tokens`"),
        (b'{"type":"done","notices":{}}', "Expected `array`, got `object` - at `$.notices`"),
        (b'{"type":"done","notices":[1]}', "Expected `object`, got `int` - at `$.notices[0]`"),
        (b'{"type":"done","notices":[{"code":"a","sentence":"b","x":null}]}', "unknown field `x`"),
        (
            b'{"type":"error","code":"a","sentence":"b","retryable":1}',
            "Expected `bool`, got `int` - at `$.retryable`",
        ),
        (b'{"type":"done","language_probability":1.5}', "<= 1.0 - at `$.language_probability`"),
        (
            b'{"type":"segment","text":"a","start":2,"end":1,"time_source":"recognised"}',
            "'end' 1.0 comes before 'start' 2.0",
        ),
        (
            b'{"type":"segment","text":"a","start":1,"end":1,"time_source":"guess"}',
            "'guess' - at `$.time_source`",
        ),
        (
            b'{"type":"segment","text":"","start":1,"end":1,"confidence":1.5,"time_source":"recognised"}',
            "Expected `float` <= 1.0 - at `$.confidence`",
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
        task="translate",
        prompt="Ä talk.",
        beam_size=3,
        draft="What was *heard*: ça.",
    )
    assert all(options.is_set(field.name) for field in fields(Options))
    assert encode_options(options).isascii()
    assert decode_options(encode_options(options)) == options
    assert decode_options(encode_options(Options())) == Options()
    assert decode_options("{}") == Options()


def test_an_option_that_is_younger_than_other_engines_is_sent_only_where_it_is_set() -> None:
    younger = {"task", "prompt", "beam_size", "draft"}
    assert younger.isdisjoint(json.loads(encode_options(Options())))
    given = Options(task="translate", prompt="a", beam_size=1, draft="b")
    assert younger <= json.loads(encode_options(given)).keys()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "truncated"),
        ("[]", "Expected `object`, got `array`"),
        ('{"language":1}', "Expected `str | null`, got `int` - at `$.language`"),
        ('{"speed":2}', "unknown field `speed`"),
        ('{"speed":null}', "unknown field `speed`"),
        ('{"temperature":"1"}', "got `str` - at `$.temperature`"),
        ('{"temperature":NaN}', "JSON is malformed"),
        ('{"temperature":-1e999}', "out of range - at `$.temperature`"),
        ('{"seed":-1}', "Expected `int` >= 0 - at `$.seed`"),
        ('{"seed":1.0}', "got `float` - at `$.seed`"),
        ('{"seed":9223372036854775808}', "Expected `int` <= 9223372036854775807 - at `$.seed`"),
        ('{"max_tokens":true}', "got `bool` - at `$.max_tokens`"),
        ('{"stop":"end"}', "Expected `array`, got `str` - at `$.stop`"),
        ('{"stop":[1]}', "Expected `str`, got `int` - at `$.stop[0]`"),
        ('{"vocabulary":"Voxgate"}', "Expected `array`, got `str` - at `$.vocabulary`"),
        ('{"task":"summarise"}', "'summarise' - at `$.task`"),
        ('{"beam_size":2.5}', "got `float` - at `$.beam_size`"),
        (f'{{"draft":"{16_385 * "a"}"}}', "length <= 16384 - at `$.draft`"),
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
        '{"beam_size":11}',
    ],
)
def test_options_out_of_range_are_refused_by_their_name(text: str) -> None:
    (name,) = json.loads(text)
    with pytest.raises(UsageError, match=f"'{name}'"):
        decode_options(text)


@pytest.mark.parametrize(
    "error",
    [
        *(
            UsageError("a"),
            UsageError("b", code="unsupported_language"),
            UsageError("c", code="unsupported_option"),
        ),
        *(EngineError("d"), EngineError("e", code="engine_busy")),
    ],
    ids=repr,
)
def test_a_known_error_comes_out_as_the_same(error: VoxgateError) -> None:
    arrived = Failure.from_error(error).to_error()
    assert (type(arrived), arrived.code) == (type(error), error.code)
    assert arrived.sentence == error.sentence


def test_an_unknown_error_keeps_whether_a_retry_helps() -> None:
    temporary = Failure("cuda_oom", "s", retryable=True).to_error()
    assert (type(temporary), temporary.code) == (EngineError, "engine_error")
    final = Failure("engine_error", "s", retryable=False).to_error()
    assert (type(final), final.code) == (EngineError, "engine_refused")
    assert not final.retryable


def test_health_comes_back_as_it_was() -> None:
    for age in (None, 0.5):
        health = Health(
            model="a/b",
            pid=12,
            state="working",
            active=1,
            queued=2,
            step_age_s=age,
            taken=3,
            idle_s=age,
        )
        assert Health.decode(health.encode()) == health


@pytest.mark.parametrize("change", [{"pid": -1}, {"pid": True}, {"model": None}, {"mood": "good"}])
def test_malformed_health_is_an_error(change: dict[str, object]) -> None:
    health = Health(model="a/b", pid=12, state="idle", active=0, queued=0, taken=0, idle_s=4.5)
    wire = json.loads(health.encode())
    with pytest.raises(EngineError, match="health"):
        Health.decode(json.dumps(wire | change).encode())


@pytest.mark.parametrize("text", ["", "café 你好 👍", 'a "quote"\n\\', "x" * MAX_TEXT])
def test_a_text_to_align_survives_its_header(text: str) -> None:
    header = encode_alignment(text, "de")
    assert header.isascii()
    assert header.isprintable()
    assert decode_alignment(header) == (text, "de")


def test_a_lone_surrogate_is_replaced_in_a_text_to_align() -> None:
    assert decode_alignment(encode_alignment("a\ud800b", None)) == ("a\ufffdb", None)


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ("", "malformed"),
        ("{}", "`text`"),
        ('{"text": 1}', r"\$\.text"),
        ('{"text": "a", "colour": 1}', "colour"),
        ('{"text": "%s"}' % ("x" * (MAX_TEXT + 1)), "16385 characters"),
    ],
)
def test_a_malformed_text_to_align_is_refused(header: str, fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        decode_alignment(header)
