"""Who answered, where a model is installed anew while requests are under way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.serving import recording, serving
from tests.models.store.checkpoints import write_hf
from tests.processes import until
from tests.scripted import Scripted
from tests.sounds import SAMPLE
from voxgate.errors import UsageError
from voxgate.models.store.registry import Registry
from voxgate.pipeline.session import Session
from voxgate.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from tests.api.serving import Running
    from voxgate.models.catalogue import ModelSpec

NAME = "acme/tiny"


class House:
    """A registry with one model, which can be installed anew, and providers on a script."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = write_hf(tmp_path / "tiny")
        self.settings = Settings(home=tmp_path / "home", spool_dir=tmp_path / "spool")
        self.providers = list[Scripted]()
        self.open = asyncio.Event()
        self.revision = self.install()

    def install(self) -> str:
        return Registry.open(self.settings).add(self.folder, NAME).revision

    def install_anew(self) -> str:
        with (self.folder / "config.json").open("a") as file:
            file.write("\n")
        return self.install()

    def session(self, settings: Settings) -> Session:
        return Session(settings, start=self._start)

    def _start(self, spec: ModelSpec, _: Settings) -> Scripted:
        made = Scripted(
            name=spec.name,
            revision=spec.revision,
            profile=spec.profile,
            gate=lambda _: self.open.wait(),
        )
        self.providers.append(made)
        return made


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


async def test_what_was_admitted_answers_and_says_so(house: House) -> None:
    house.open.set()
    async with house.session(house.settings) as session:
        admitted = session.provider(NAME)
        newer = house.install_anew()
        assert newer != house.revision
        assert (await session.transcribe(SAMPLE, model=admitted)).revision == house.revision
        assert (await session.transcribe(SAMPLE, model=NAME)).revision == newer
        async with house.session(house.settings) as another:
            with pytest.raises(UsageError, match="another session"):
                await another.transcribe(SAMPLE, model=admitted)


async def test_a_newer_revision_joins_no_flight_of_the_older_one(
    house: House, tmp_path: Path
) -> None:
    async with serving(tmp_path, session=house.session) as server:
        older = asyncio.create_task(server.post(recording(model=NAME)))
        await until(lambda: any(each.running for each in house.providers), "the first one's work")
        newer = house.install_anew()
        same = asyncio.create_task(server.post(recording(model=NAME)))
        await until(lambda: sum(each.running for each in house.providers) == 2, "the other's work")
        house.open.set()
        assert await told(server, await older) == house.revision
        assert await told(server, await same) == newer


async def told(server: Running, answer: httpx2.Response) -> str:
    """The revision that an answer names, everywhere the same."""
    assert answer.status_code == 200, answer.text
    origin: dict[str, Any] = answer.json()["voxgate"]
    revision: str = origin["revision"]
    assert answer.headers["x-voxgate-model"] == f"{NAME}@{revision}; profile=balanced"
    id_ = answer.headers["x-generation-id"]
    data = (await server.client.get("/generation", params={"id": id_})).json()["data"]
    assert data["voxgate"] == {"revision": revision, "profile": "balanced"}
    return revision
