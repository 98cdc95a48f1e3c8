"""What `/models` says of a model that answers, and of one that another model reads for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.chat.asking import DIGITS, FORMAT, ask, hearing
from tests.api.serving import SCRIPTED, Gate, Running, serving
from tests.processes import until

if TYPE_CHECKING:
    from pathlib import Path

WHISPER = "Systran/faster-whisper-base"


async def card(server: Running, model: str) -> dict[str, Any]:
    found: dict[str, Any] = (await server.client.get(f"/models/{model}")).json()
    return found


async def names(server: Running, modality: str) -> set[str]:
    found = await server.client.get("/models", params={"output_modalities": modality})
    return {model["id"] for model in found.json()["data"]}


async def test_a_model_that_answers(tmp_path: Path) -> None:
    async with serving(tmp_path, hearing()) as server:
        able, other = await card(server, SCRIPTED), await card(server, WHISPER)
        texts, all_ = await names(server, "text"), await names(server, "transcription")
    assert able["architecture"]["modality"] == "audio+text->transcription+text"
    assert {"response_format", "structured_outputs"} <= set(able["supported_parameters"])
    assert "tools" not in able["supported_parameters"]
    assert (able["voxgate"]["answers"], able["voxgate"]["hears_s"]) == (True, 600)
    assert able["capabilities"]["completion_chat"]
    assert other["architecture"]["modality"] == "audio->transcription"
    assert "structured_outputs" not in other["supported_parameters"]
    assert not other["capabilities"]["completion_chat"]
    assert SCRIPTED in texts
    assert WHISPER not in texts
    assert {SCRIPTED, WHISPER} <= all_


@pytest.mark.parametrize("fields", [{}, {"response_format": FORMAT}], ids=["text", "data"])
async def test_a_model_that_another_one_reads(tmp_path: Path, fields: dict[str, Any]) -> None:
    """Whisper's words are read by the model of the setting."""
    provider = hearing()
    async with serving(tmp_path, provider, answer_model=SCRIPTED) as server:
        described = await card(server, WHISPER)
        answer = await ask(server, model=WHISPER, **fields)
    assert described["architecture"]["output_modalities"] == ["transcription", "text"]
    body = answer.json()
    assert body["model"] == SCRIPTED
    assert (body["choices"][0]["message"]["content"] == DIGITS) == bool(fields)
    ((question, sounds),) = provider.questions
    assert sounds == []
    assert any(getattr(part, "may_be_cut", False) for part in question.messages[0].parts)


async def test_options_of_the_model_that_reads_make_another_question(tmp_path: Path) -> None:
    """Whisper, which is asked, honours none of them."""
    gate = Gate()
    different: list[dict[str, Any]] = [{"stop": ["a"]}, {"stop": ["b"]}, {"max_tokens": 50}, {}]
    async with serving(
        tmp_path, hearing(gate=gate, concurrency=4), answer_model=SCRIPTED
    ) as server:
        asked = [
            asyncio.create_task(ask(server, model=WHISPER, temperature=0, **each))
            for each in different
        ]
        await until(lambda: len(server.provider.questions) == len(different), "the questions")
        gate.open.set()
        answers = [(await each).json() for each in asked]
    assert len({each["id"] for each in answers}) == len(different)
