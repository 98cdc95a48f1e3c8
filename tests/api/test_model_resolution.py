"""Which model answers a request: resolved once, off the event loop, while models are replaced."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.serving import SCRIPTED, model_spec, recording, serving
from tests.models.store.checkpoints import write_hf
from tests.processes import until
from tests.scripted import Scripted
from tests.sounds import SAMPLE
from voxgate.errors import UsageError
from voxgate.models.catalogue import ModelSpec
from voxgate.models.store.registry import Registry
from voxgate.pipeline.session import Session
from voxgate.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from tests.api.serving import Running

NAME = "acme/tiny"


class CountedModels(dict[str, ModelSpec]):
    """Models that count how often one is looked up, and on which thread."""

    def __init__(self) -> None:
        super().__init__({SCRIPTED: model_spec(SCRIPTED, Scripted())})
        self.lookups: list[int] = []
        self.found = threading.Event()
        self.found.set()

    def __getitem__(self, name: str) -> ModelSpec:
        self.lookups.append(threading.get_ident())
        assert self.found.wait(30)
        return super().__getitem__(name)

    def __contains__(self, name: object) -> bool:
        raise AssertionError("A second lookup: on disk, asking for a name reads it.")

    def session(self, settings: Settings) -> Session:
        return Session(settings, models=self, start=lambda *_: Scripted())


async def test_a_model_is_resolved_once_a_request_off_the_loop(tmp_path: Path) -> None:
    models = CountedModels()
    async with serving(tmp_path, session=models.session) as server:
        for count in (1, 2):
            assert (await server.post(recording())).status_code == 200
            assert len(models.lookups) == count
        described = await server.client.get(f"{server.url}/api/v1/models/{SCRIPTED}/endpoints")
        assert (described.status_code, len(models.lookups)) == (200, 3)
        assert threading.get_ident() not in models.lookups


async def test_a_slow_lookup_does_not_block_the_server(tmp_path: Path) -> None:
    models = CountedModels()
    models.found.clear()
    async with serving(tmp_path, session=models.session) as server:
        waiting = asyncio.create_task(server.post(recording()))
        await until(lambda: len(models.lookups) == 1, "the lookup")
        assert (await server.client.get(f"{server.url}/healthz")).status_code == 200
        assert not waiting.done()
        models.found.set()
        assert (await waiting).status_code == 200


async def test_a_session_resolves_a_name_once(tmp_path: Path) -> None:
    models = CountedModels()
    async with models.session(replace(Settings(), spool_dir=tmp_path)) as session:
        await session.transcribe(SAMPLE, model=SCRIPTED, times=False)
        route = session.endpoints.route(await session.resolve(SCRIPTED))
        await session.transcribe(SAMPLE, model=route, times=False)
    assert len(models.lookups) == 2


class Installation:
    """A registry with one model that can be replaced, and scripted providers."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder = write_hf(tmp_path / "tiny")
        self.settings = Settings(home=tmp_path / "home", spool_dir=tmp_path / "spool")
        self.providers = list[Scripted]()
        self.open = asyncio.Event()
        self.revision = self.install()

    def install(self) -> str:
        return Registry.open(self.settings).add(self.folder, NAME).revision

    def install_newer(self) -> str:
        with (self.folder / "config.json").open("a") as file:
            file.write("\n")
        return self.install()

    def session(self, settings: Settings) -> Session:
        return Session(settings, start=self._start)

    def _start(self, spec: ModelSpec, _: Settings) -> Scripted:
        provider = Scripted(
            name=spec.name,
            revision=spec.revision,
            profile=spec.profile,
            gate=lambda _: self.open.wait(),
        )
        self.providers.append(provider)
        return provider


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


async def test_the_admitted_revision_answers(installation: Installation) -> None:
    installation.open.set()
    async with installation.session(installation.settings) as session:
        admitted = session.endpoints.route(await session.resolve(NAME))
        newer = installation.install_newer()
        assert newer != installation.revision
        transcript = await session.transcribe(SAMPLE, model=admitted)
        assert transcript.revision == installation.revision
        assert (await session.transcribe(SAMPLE, model=NAME)).revision == newer
        async with installation.session(installation.settings) as another:
            with pytest.raises(UsageError, match="another session"):
                await another.transcribe(SAMPLE, model=admitted)


async def test_a_newer_revision_joins_no_job_of_the_older_one(
    installation: Installation, tmp_path: Path
) -> None:
    async with serving(tmp_path, session=installation.session) as server:
        older = asyncio.create_task(server.post(recording(model=NAME)))
        await until(lambda: any(each.running for each in installation.providers), "the first job")
        newer = installation.install_newer()
        same = asyncio.create_task(server.post(recording(model=NAME)))
        await until(
            lambda: sum(each.running for each in installation.providers) == 2, "the second job"
        )
        installation.open.set()
        assert await revision_of(server, await older) == installation.revision
        assert await revision_of(server, await same) == newer


async def revision_of(server: Running, response: httpx2.Response) -> str:
    """Return the revision that a response names, which must be the same everywhere."""
    assert response.status_code == 200, response.text
    origin: dict[str, Any] = response.json()["voxgate"]
    revision: str = origin["revision"]
    assert response.headers["x-voxgate-model"] == f"{NAME}@{revision}; profile=balanced"
    id_ = response.headers["x-generation-id"]
    data = (await server.client.get("/generation", params={"id": id_})).json()["data"]
    assert data["voxgate"] == {"revision": revision, "profile": "balanced"}
    return revision
