"""Names that were installed, asked for by the command line and by a server's callers."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.serving import recording, served
from tests.cli.command import DEADLINE_S, Place, place
from tests.sounds import SAMPLE
from tests.spoken_digits import CHECKPOINT
from voxgate.errors import ChangedCheckpointError, NoWeightsError, UnknownModelError
from voxgate.models.available import AvailableModels
from voxgate.models.catalogue import BUILT_IN_MODELS, find_named_model
from voxgate.models.store.registry import Registry
from voxgate.settings import Settings


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Place]:
    with place(tmp_path) as made:
        yield made


def test_what_is_installed_stands_beside_what_came_in_packages(
    registry: Registry, settings: Settings, checkpoint: Path
) -> None:
    shelf = AvailableModels(settings)
    assert list(shelf) == list(BUILT_IN_MODELS)
    registry.add(checkpoint, "acme/tiny")
    assert list(shelf) == [*BUILT_IN_MODELS, "acme/tiny"]
    spec = shelf["acme/tiny"]
    assert (spec.name, spec.checkpoint) == ("acme/tiny", checkpoint)
    assert {spec.name for spec in shelf.values()} == set(shelf)
    registry.remove("acme/tiny")
    with pytest.raises(UnknownModelError, match="acme/tiny"):
        find_named_model("acme/tiny", shelf)


def test_an_alias_without_a_model_names_the_command_that_gets_one(settings: Settings) -> None:
    with pytest.raises(NoWeightsError, match="voxgate models pull mistralai/Voxtral-Mini-3B-2507"):
        find_named_model("voxtral-mini-latest", AvailableModels(settings))


def test_a_model_that_was_changed_is_refused_and_not_offered(
    registry: Registry, settings: Settings, checkpoint: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(checkpoint, tmp_path / "mine"))
    registry.add(folder)
    with (folder / "config.json").open("a") as file:
        file.write("\n")
    with pytest.raises(ChangedCheckpointError, match=r"config\.json"):
        find_named_model("mine", AvailableModels(settings))
    assert "mine" not in list(AvailableModels(settings))


def test_an_installed_model_transcribes_by_its_name(at: Place) -> None:
    assert at.run("models", "add", CHECKPOINT, "--name", "acme/digits").returncode == 0
    done = at.run("transcribe", SAMPLE, "-m", "acme/digits", "-f", "json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["model"] == "acme/digits"
    assert answer["text"]


def test_an_engine_of_its_own_is_started_by_that_name(at: Place) -> None:
    assert at.run("models", "add", CHECKPOINT, "--name", "acme/digits").returncode == 0
    with at.running("engine", "acme/digits", "--socket", at.temp / "engine") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == {"ready": "acme/digits"}
        process.terminate()
        assert process.wait(DEADLINE_S) == 0


def test_without_a_choice_the_model_that_was_installed_last_is_taken(at: Place) -> None:
    for name in ("acme/first", "acme/last"):
        assert at.run("models", "add", CHECKPOINT, "--name", name).returncode == 0
    done = at.run("transcribe", SAMPLE, "-f", "json")
    assert json.loads(done.stdout)["model"] == "acme/last"
    assert "acme/last is used, the model that was installed last" in done.stderr
    assert at.run("models", "rm", "acme/last").returncode == 0
    done = at.run("transcribe", SAMPLE, "-f", "json")
    assert json.loads(done.stdout)["model"] == "acme/first"


async def test_a_server_offers_it_and_answers_with_it(at: Place) -> None:
    assert at.run("models", "add", CHECKPOINT, "--name", "acme/digits").returncode == 0
    async with served(at) as server:
        models = (await server.client.get("/models")).json()["data"]
        assert [model["id"] for model in models] == [*BUILT_IN_MODELS, "acme/digits"]
        (listed,) = (model for model in models if model["id"] == "acme/digits")
        assert {"max_tokens", "stop", "temperature"} <= set(listed["supported_parameters"])
        asked = recording(model="acme/digits", max_tokens=3, response_format="verbose_json")
        answer = await server.client.post("/audio/transcriptions", json=asked, timeout=60)
        assert answer.status_code == 200, answer.text
        assert answer.json()["text"]
        assert 1 <= len(answer.json()["text"].split()) <= 3
        missing = await server.client.post(
            "/audio/transcriptions", json=recording(model="voxtral-small-latest")
        )
        assert missing.status_code == 404
        assert "voxgate models pull" in missing.json()["error"]["message"]
