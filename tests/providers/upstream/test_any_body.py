"""Bodies that no upstream has thought of yet: each is an answer that fits, or a failure."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.providers.upstream.asking import question
from voxgate.errors import UpstreamError
from voxgate.providers.upstream.answer import fit
from voxgate.providers.upstream.dialects import DIALECTS
from voxgate.providers.upstream.exchange import UpstreamResponse
from voxgate.providers.upstream.failures import failure_status, response_failure, retry_after_s
from voxgate.upstreams import UpstreamKind

if TYPE_CHECKING:
    from voxgate.providers.upstream.dialect import WindowQuestion

LONG_S = 10.0
MODELS = ("whisper-1", "gpt-4o-transcribe", "voxtral-mini-2602")
NUMBERS = st.integers() | st.floats() | st.sampled_from(["1.5", "nan", "1e999", "", "soon"])
TEXTS = st.text(max_size=8) | st.sampled_from(
    ["english", "de", "\x1b[2J", "\ud800", "x" * 5000, "²", "429", "9" * 5000]
)
LEAVES = st.none() | st.booleans() | NUMBERS | TEXTS
NAMES = st.sampled_from(
    [
        *("text", "word", "start", "end", "segments", "words", "language", "languages", "code"),
        *("logprob", "logprobs", "usage", "output_tokens", "model", "error", "message", "detail"),
        *("object", "confidence", "score", "avg_logprob", "no_speech_prob", "temperature"),
        *("compression_ratio", "source_language"),
    ]
)
VALUES = st.recursive(
    LEAVES, lambda of: st.lists(of, max_size=4) | st.dictionaries(NAMES, of, max_size=5)
)
BODIES = st.builds(
    lambda more, text: more | {"text": text}, st.dictionaries(NAMES, VALUES, max_size=6), TEXTS
)
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@pytest.mark.parametrize("kind", get_args(UpstreamKind))
@given(BODIES | VALUES, st.sampled_from(MODELS), st.sampled_from([200, 400, 429, 503]))
def test_any_body_is_an_answer_or_a_failure(kind: Any, body: Any, model: str, status: int) -> None:
    asked = question(kind, model)
    response = UpstreamResponse(status, {}, json.dumps(body).encode())
    failed = failure_status(response)
    if failed is not None:
        error = response_failure(asked.endpoint.upstream, response, failed, lambda text: text)
        assert not CONTROL.search(error.sentence)
        return
    with suppress(msgspec.MsgspecError, UpstreamError):
        check_answer(asked, response.body)


def check_answer(asked: WindowQuestion, body: bytes) -> None:
    answer = DIALECTS[asked.endpoint.upstream.kind].parse(body, asked)
    segments, _ = fit(answer, "somewhere", LONG_S)
    assert answer.language_code is None or answer.language_code.isalpha()
    assert answer.tokens >= 0
    for segment in segments:
        assert segment.text
        assert not CONTROL.search(segment.text)
        assert 0 <= segment.start <= segment.end <= LONG_S
        for word in segment.words:
            assert segment.start <= word.start <= word.end <= segment.end


@pytest.mark.parametrize("levels", [300, 500, 900, 2000])
@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    "around", ['{{"error": {}}}', '{{"error": {{"message": {}}}}}', '{{"detail": {}}}']
)
def test_a_failure_of_any_depth_is_a_failure(around: str, status: int, levels: int) -> None:
    for opening, closing in (("[", "]"), ('{"error":', "}"), ('{"message":', "}")):
        body = around.format(f"{opening * levels}1{closing * levels}").encode()
        response = UpstreamResponse(status, {}, body)
        told = failure_status(response) or 400
        response_failure(question().endpoint.upstream, response, told, lambda text: text)


@given(st.text(max_size=40) | st.floats().map(str) | st.integers().map(str))
def test_any_retry_after_is_a_bounded_wait_or_none(header: str) -> None:
    wait_s = retry_after_s(UpstreamResponse(429, {"retry-after": header}, b""))
    assert wait_s is None or 0 <= wait_s <= 3600
