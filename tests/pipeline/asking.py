"""What scripted models are asked, and what their callers are told."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.scripted import Scripted
from voxgate.answers.values import PARAGRAPH, TextPart
from voxgate.models.catalogue import BUILT_IN_MODELS, ModelSpec
from voxgate.pipeline.question import AskedMessage
from voxgate.pipeline.session import Session
from voxgate.pipeline.trace import Trace
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from voxgate.answers.values import Answer, Question

ASKED = TextPart("What is it about?")


def answering(**more: Any) -> Scripted:
    fields: dict[str, Any] = {"answers": lambda _: "about a train", "hears_s": 60.0} | more
    return Scripted(**fields)


def spec(name: str, **more: Any) -> ModelSpec:
    built_in = next(iter(BUILT_IN_MODELS.values()))
    return replace(built_in, name=name, aliases=(), packaged=None, distributions=(), **more)


class Asked:
    """A session with scripted models, and all that a caller of `answer` is told."""

    def __init__(self, folder: Path, *providers: Scripted, **settings: Any) -> None:
        by_name = {each.name: each for each in providers}
        self.session = Session(
            Settings(home=folder / "home", spool_dir=folder / "spool", **settings),
            models={
                name: spec(name, capabilities=each.capabilities) for name, each in by_name.items()
            },
            start=lambda spec, _: by_name[spec.name],
        )
        self.folder, self.model = folder, providers[0].name
        self.trace, self.texts, self.covered = Trace(), list[str](), list[float]()

    async def answer(self, *parts: Any, **more: Any) -> Answer:
        async def cover(seconds: float) -> None:
            self.covered.append(seconds)

        given: dict[str, Any] = {
            "model": self.model,
            "trace": self.trace,
            "on_text": self.texts.append,
            "cover": cover,
        }
        return await self.session.answer([AskedMessage("user", parts)], **given | more)

    def left_on_disk(self) -> list[Path]:
        return list((self.folder / "spool").glob("*"))


@pytest.fixture
async def ask(tmp_path: Path) -> AsyncIterator[Callable[..., Asked]]:
    opened: list[Asked] = []

    def ask(*providers: Scripted, **settings: Any) -> Asked:
        opened.append(Asked(tmp_path, *providers, **settings))
        return opened[-1]

    yield ask
    for each in opened:
        await each.session.aclose()
        assert not each.left_on_disk()


def texts(question: Question) -> str:
    parts = (part for message in question.messages for part in message.parts)
    return PARAGRAPH.join(part.text for part in parts if isinstance(part, TextPart))


def codes(answer: Answer) -> list[str]:
    return [notice.code for notice in answer.notices]
