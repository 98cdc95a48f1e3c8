"""What a fast model hears first: passed on with each window, of use to models that check it."""

from __future__ import annotations

import asyncio
import random
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.pipeline.asking import spec
from tests.pipeline.test_job import FOUR, decoders, run
from tests.scripted import Scripted
from tests.sounds import encode
from tests.spoken_digits import CHECKPOINT, joined, phrase, takes
from tests.whisper.weights import whisper_home
from voxgate import errors
from voxgate.engine.protocol import Health
from voxgate.models.running import running_engines
from voxgate.pipeline.route import SharedProvider
from voxgate.pipeline.session import Session
from voxgate.providers.engine_client import EngineClient
from voxgate.settings import Settings
from voxgate.transcript.values import LONGEST_DRAFT, Options, Transcript
from voxgate.voxtral.kernels import dispatch

if TYPE_CHECKING:
    from voxgate.audio.decoder_pool import DecoderPool

__all__ = ["decoders"]  # the fixture


async def drafted(
    drafter: Scripted, decoders: DecoderPool, options: Options | None = None, **more: Any
) -> tuple[Scripted, Transcript]:
    more = {"drafts": True, "says": lambda *_: "so it goes", **more}
    provider = Scripted(**more)
    transcript = await run(
        encode(FOUR, "x.wav"), provider, decoders, Settings(), options=options or Options(),
        drafter=SharedProvider.of(drafter),
    )  # fmt: skip
    return provider, transcript


async def test_each_window_is_heard_first_and_its_draft_is_never_part_of_the_text(
    decoders: DecoderPool,
) -> None:
    drafter = Scripted(hears=lambda window, _: f"the draft of {window.start}\ud800")
    provider, transcript = await drafted(drafter, decoders, Options(language="de"))
    drafts = {window.start: f"the draft of {window.start}\ufffd" for window in drafter.windows}
    assert len(drafts) == 4
    assert [options.draft for options in provider.options] == [
        drafts[window.start] for window in provider.windows
    ]
    assert drafter.options == [Options(language="de")] * 4
    assert transcript.text == " ".join(["so it goes"] * 4)
    assert (transcript.notices, transcript.tokens) == ((), 12)


async def test_later_windows_are_heard_with_the_text_so_far_as_their_prompt(
    decoders: DecoderPool,
) -> None:
    """Its end, from a word on, to a model that has a use for it."""
    drafter = Scripted(honours=frozenset({"prompt"}))
    texts = ["so it goes", "as ever", "on and " * 40 + "on", "it ends"]
    await drafted(drafter, decoders, says=lambda number, _: texts[number])
    first, second, third, fourth = (options.prompt for options in drafter.options)
    assert (first, second, third) == ("", "so it goes", "as ever")
    assert texts[2].endswith(fourth)
    assert 190 < len(fourth) <= 200
    assert fourth.split()[0] in {"on", "and"}


async def test_a_draft_is_no_longer_than_an_engine_takes(decoders: DecoderPool) -> None:
    provider, _ = await drafted(Scripted(says=lambda *_: "la " * 9999), decoders)
    assert {len(options.draft) for options in provider.options} == {LONGEST_DRAFT}


@pytest.mark.parametrize(
    "options",
    [Options(temperature=0.2), Options(frequency_penalty=1), Options(presence_penalty=-1)],
)
async def test_nothing_is_heard_first_where_tokens_are_drawn(
    decoders: DecoderPool, options: Options
) -> None:
    honours = frozenset({"temperature", "frequency_penalty", "presence_penalty"})
    drafter = Scripted()
    provider, _ = await drafted(drafter, decoders, options, honours=honours)
    assert drafter.windows == []
    assert {given.draft for given in provider.options} == {""}


async def test_nothing_is_heard_for_a_model_that_checks_no_drafts(decoders: DecoderPool) -> None:
    drafter = Scripted()
    await drafted(drafter, decoders, drafts=False)
    assert drafter.windows == []


@pytest.mark.parametrize(
    ("error", "attempts"),
    [
        (errors.EngineError("It died.", code="engine_died"), 3),
        (errors.EngineStartError("It is too large.", code="model_too_large"), 1),
    ],
)
async def test_a_draft_that_fails_costs_nothing_but_itself(
    decoders: DecoderPool,
    caplog: pytest.LogCaptureFixture,
    error: errors.VoxgateError,
    attempts: int,
) -> None:
    drafter = Scripted(faults={number: [error] for number in range(4)})
    provider, transcript = await drafted(drafter, decoders)
    assert transcript.text == " ".join(["so it goes"] * 4)
    assert transcript.notices == ()
    assert len(drafter.windows) == attempts  # no more after that
    assert {options.draft for options in provider.options} == {""}
    assert (
        caplog.messages == [f"A window is recognised without a draft: {error.sentence}"] * attempts
    )


async def test_no_model_is_unloaded_for_a_draft(
    decoders: DecoderPool, caplog: pytest.LogCaptureFixture
) -> None:
    """Two models that do not fit together would be loaded anew for every window."""
    drafter = Scripted(has_room=False)
    provider, transcript = await drafted(drafter, decoders)
    assert transcript.text == " ".join(["so it goes"] * 4)
    assert (drafter.windows, {options.draft for options in provider.options}) == ([], {""})
    assert re.search("does not fit into memory beside the models", caplog.messages[0])


async def test_later_windows_are_heard_while_one_is_recognised(decoders: DecoderPool) -> None:
    """No more of them than the model has slots."""
    heard, begun = asyncio.Semaphore(0), list[int]()

    async def wait(number: int) -> None:
        begun.append(number)
        if number == 0:
            await heard.acquire()  # the first is recognised until another draft is there

    def hear(*_: object) -> str:
        if begun:
            heard.release()
        return "a draft"

    drafter = Scripted(hears=hear, concurrency=1)
    await drafted(drafter, decoders, gate=wait, concurrency=2)
    assert len(begun) == 4


@pytest.mark.parametrize(
    ("draft_model", "draft", "why"),
    [
        ("", False, None),
        ("a/whisper", True, None),
        ("a/voxtral", False, None),  # it would hear itself
        ("a/whispre", False, "No model .*a/whisper"),
        ("a/reader", False, "a/reader does not transcribe on this machine"),
    ],
)
async def test_the_setting_names_who_hears_first(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    draft_model: str,
    draft: bool,
    why: str | None,
) -> None:
    voxtral, whisper = Scripted(name="a/voxtral", drafts=True), Scripted(name="a/whisper")
    providers = {each.name: each for each in (voxtral, whisper)}
    models = {
        name: spec(name, capabilities=each.capabilities) for name, each in providers.items()
    } | {"a/reader": spec("a/reader", capabilities=whisper.capabilities, loader=None)}
    settings = Settings(home=tmp_path, draft_model=draft_model)
    start: Any = lambda spec, _: providers[spec.name]  # noqa: E731
    async with Session(settings, models=models, start=start) as session:
        sound = encode(FOUR[: len(FOUR) // 4], "x.wav")
        await session.transcribe(sound, model="a/voxtral", times=False)
    assert [bool(options.draft) for options in voxtral.options] == [draft]
    assert len(whisper.windows) == draft
    assert len(caplog.messages) == bool(why)
    assert all(re.search(why or "", message) for message in caplog.messages)


async def test_digits_with_a_whisper_as_draft(tmp_path: Path) -> None:
    """Both in engines. A Whisper mostly writes numerals, and so its drafts are mostly wrong."""
    rng = random.Random(21)
    folder = shutil.copytree(CHECKPOINT, tmp_path / "digits")
    spoken = joined([phrase(rng, its, 8) for its in list(takes().values())[:2]], [4.0] * 2)
    path, found = spoken.save(tmp_path / "a.wav"), dict[str, tuple[Transcript, Health]]()
    for draft_model in ("", "openai/whisper-base"):
        settings = Settings(home=whisper_home(), profile="balanced", draft_model=draft_model)
        async with Session(settings) as session:
            transcript = await session.transcribe(path, model=str(folder), times=False)
            records = running_engines(settings.home / "run")
            (socket,) = (Path(each.socket) for each in records if each.model == folder.name)
            found[draft_model] = transcript, await EngineClient(socket).health()
    (plain, without), (drafted, health) = found.values()
    assert plain == drafted
    assert (without.draft_tokens, without.right_draft_tokens) == (0, 0)
    print(f"{health.right_draft_tokens} of {health.draft_tokens} tokens, {plain.tokens} in all")
    print(f"{health.step_windows} rounds, {without.step_windows} without drafts")
    if dispatch.native_ops() is not None:
        assert 0 <= health.right_draft_tokens <= health.draft_tokens > 0
        assert health.step_windows == without.step_windows - health.right_draft_tokens
