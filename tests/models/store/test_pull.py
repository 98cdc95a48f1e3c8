import os
import sys
import threading
from collections.abc import Callable
from hashlib import sha1, sha256
from pathlib import Path

import pytest

from tests.failures import raises
from tests.hub import Hub, Repository
from tests.models.conftest import NAME
from tests.models.store.checkpoints import write_hf, write_mistral
from tests.whisper.weights import whisper_folder
from voxgate.errors import (
    CheckpointError,
    Code,
    HubError,
    UsageError,
    WrongContentError,
)
from voxgate.models.available import AvailableModels
from voxgate.models.catalogue import find_named_model
from voxgate.models.store.packaged import WHISPER_BASE
from voxgate.models.store.progress import StoreProgress
from voxgate.models.store.pull import pull_model
from voxgate.models.store.registry import Registry
from voxgate.settings import Settings
from voxgate.voxtral.checkpoint.loader import Checkpoint

SHARD = "model-00001-of-00002.safetensors"
SECOND = "model-00002-of-00002.safetensors"
INDEX = "model.safetensors.index.json"
HF_FILES = {
    *("config.json", "generation_config.json", "preprocessor_config.json"),
    *(INDEX, SHARD, SECOND, "tekken.json"),
}


def under(folder: Path) -> set[str]:
    """Return every file below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def nothing_is_here(registry: Registry) -> bool:
    return not registry.list() and not under(registry.paths.models)


def test_a_pulled_model_is_a_plain_folder_that_loads(
    registry: Registry, settings: Settings, hub: Hub
) -> None:
    record = pull_model(registry, NAME)
    repository = hub.repositories[NAME]
    assert (record.name, record.revision, record.source) == (NAME, repository.commit, "pull")
    assert record.folder == registry.paths.models / f"{NAME}@{repository.commit[:12]}"
    assert record.folder == find_named_model(NAME, AvailableModels(settings)).checkpoint
    assert {path.name for path in record.folder.iterdir()} == HF_FILES
    for file in record.files:
        content = repository.files[file.name]
        assert (record.folder / file.name).read_bytes() == content
        assert (file.nbytes, file.sha256) == (len(content), sha256(content).hexdigest())
    assert under(registry.paths.models) == {
        f"{NAME}.json",
        *(f"{NAME}@{repository.commit[:12]}/{name}" for name in HF_FILES),
    }
    Checkpoint.open(record.folder)
    assert registry.list() == (record,)
    registry.check_unchanged(record)


def test_one_layout_is_fetched_never_both(registry: Registry, hub: Hub) -> None:
    pull_model(registry, NAME)
    assert set(hub.fetched()) == HF_FILES


@pytest.mark.parametrize("name", ["openai/whisper-base", "Systran/faster-whisper-base"])
def test_a_whisper_of_ctranslate2_is_fetched(
    registry: Registry, settings: Settings, hub: Hub, name: str
) -> None:
    hub.repositories[WHISPER_BASE.name] = Repository.from_folder(whisper_folder())
    record = pull_model(registry, name)
    assert (record.name, record.layout, record.family) == (
        WHISPER_BASE.name,
        "ctranslate2",
        "whisper-base",
    )
    assert {file.name: file.sha256 for file in record.files} == {
        file.name: file.sha256 for file in WHISPER_BASE.files
    }
    assert find_named_model("whisper-base", AvailableModels(settings)).revision == record.revision


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "vocabulary.txt"])
def test_half_a_whisper_is_not_fetched(registry: Registry, hub: Hub, missing: str) -> None:
    repository = Repository.from_folder(whisper_folder())
    del repository.files[missing]
    hub.repositories[WHISPER_BASE.name] = repository
    with pytest.raises(CheckpointError, match=r"without|and no"):
        pull_model(registry, WHISPER_BASE.name)
    assert "model.bin" not in hub.fetched()
    assert nothing_is_here(registry)


def test_mistrals_layout_is_fetched_if_it_is_the_only_one(
    registry: Registry, hub: Hub, tmp_path: Path
) -> None:
    hub.repositories[NAME] = Repository.from_folder(write_mistral(tmp_path / "mistral"))
    record = pull_model(registry, NAME)
    assert record.layout == "mistral"
    assert {file.name for file in record.files} == {
        *("params.json", "consolidated.safetensors", "tekken.json"),
    }
    Checkpoint.open(record.folder)


def test_a_single_file_of_weights_needs_no_index(
    registry: Registry, hub: Hub, tmp_path: Path
) -> None:
    folder = write_hf(tmp_path / "single", shards=1)
    (folder / "model-00001-of-00001.safetensors").rename(folder / "model.safetensors")
    (folder / INDEX).unlink()
    other = {"original/model.safetensors": b"of nobody's concern"}
    hub.repositories[NAME] = Repository.from_folder(folder, **other)
    record = pull_model(registry, NAME)
    assert {file.name for file in record.files} == {path.name for path in folder.iterdir()}
    Checkpoint.open(record.folder)


def test_a_second_pull_of_the_same_commit_fetches_nothing(registry: Registry, hub: Hub) -> None:
    first = pull_model(registry, NAME)
    before = len(hub.fetched())
    assert pull_model(registry, NAME) == first
    assert len(hub.fetched()) == before


def test_a_revision_is_pinned_and_named_by_its_commit(registry: Registry, hub: Hub) -> None:
    commit = hub.repositories[NAME].commit
    assert pull_model(registry, NAME, revision="main").revision == commit
    assert all(commit in asked.path for asked in hub.requests if "/resolve/" in asked.path)


def test_a_newer_commit_replaces_the_older(registry: Registry, hub: Hub, tmp_path: Path) -> None:
    older = pull_model(registry, NAME)
    hub.repositories[NAME] = Repository.from_folder(write_hf(tmp_path / "newer", seed=2))
    newer = pull_model(registry, NAME)
    assert newer.revision != older.revision
    assert registry.list() == (newer,)
    assert not older.folder.exists()
    registry.check_unchanged(newer)


def test_only_a_damaged_file_is_fetched_again(registry: Registry, hub: Hub) -> None:
    record = pull_model(registry, NAME)
    before = len(hub.fetched())
    spoilt = record.folder / SHARD
    spoilt.write_bytes(b"\0" * spoilt.stat().st_size)
    again = pull_model(registry, NAME)
    assert set(hub.fetched()[before:]) == {SHARD}
    assert again.files[0].sha256 == record.files[0].sha256
    registry.verify(again)


def test_slow_bytes_arrive(registry: Registry, hub: Hub) -> None:
    hub.faults.slow |= {"config.json", SHARD}
    registry.verify(pull_model(registry, NAME))


def test_progress_is_reported_to_the_last_byte(registry: Registry, hub: Hub) -> None:
    seen: list[tuple[str, int, int]] = []
    lines: list[str] = []
    record = pull_model(
        registry, NAME, progress=StoreProgress(lines.append, lambda *now: seen.append(now))
    )
    assert seen[-1][1] == seen[-1][2]
    assert all(done <= total for _, done, total in seen)
    (line,) = lines
    assert record.revision in line
    assert "are free. Loaded as they are stored, its weights take" in line


def test_a_broken_connection_is_resumed(registry: Registry, hub: Hub) -> None:
    hub.faults.cut_at[SHARD] = len(hub.repositories[NAME].files[SHARD]) // 2
    hub.faults.cut_once.add(SHARD)
    registry.verify(pull_model(registry, NAME))
    assert hub.fetched(host="cdn").count(SHARD) == 2


def test_a_later_pull_resumes_an_earlier_one(registry: Registry, hub: Hub, tmp_path: Path) -> None:
    # The client hands over 10 MiB at a time: the file has to have more.
    folder = write_mistral(tmp_path / "large", vocabulary=2**18)
    hub.repositories[NAME] = Repository.from_folder(folder)
    weights = "consolidated.safetensors"
    content = hub.repositories[NAME].files[weights]
    part = registry.paths.staging(NAME) / "parts" / weights
    hub.faults.cut_at[weights] = len(content) // 2
    with pytest.raises(HubError, match="what was fetched is kept"):
        pull_model(registry, NAME)
    kept = part.stat().st_size
    assert 0 < kept <= len(content) // 2
    assert registry.list() == ()
    assert not registry.paths.folders(NAME)
    hub.faults.cut_at.clear()
    before = len(hub.requests)
    registry.verify(pull_model(registry, NAME))
    (asked,) = (a for a in hub.requests[before:] if a.host == "cdn" and a.path.endswith(weights))
    assert asked.headers["Range"] == f"bytes={kept}-"
    assert not [a for a in hub.requests[before:] if a.path.endswith("tekken.json")]  # was whole


def test_too_many_requests_once_are_waited_for(registry: Registry, hub: Hub) -> None:
    hub.faults.statuses[SHARD] = [429]
    registry.verify(pull_model(registry, NAME))


def half(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize("name", [SHARD, "config.json"])
@pytest.mark.parametrize(
    "spoil",
    [half, lambda content: content + b"more", lambda content: b" " * len(content)],
    ids=["shorter", "longer", "another content"],
)
def test_a_file_that_differs_from_the_announced_is_deleted(
    registry: Registry, hub: Hub, name: str, spoil: Callable[[bytes], bytes]
) -> None:
    hub.faults.replaced[name] = spoil(hub.repositories[NAME].files[name])
    with pytest.raises(WrongContentError, match="It was deleted: pull"):
        pull_model(registry, NAME)
    assert registry.list() == ()
    assert not registry.paths.folders(NAME)
    assert not list((registry.paths.staging(NAME) / "parts").iterdir())
    hub.faults.replaced.clear()
    registry.verify(pull_model(registry, NAME))


def test_a_gated_model_needs_a_token(registry: Registry, hub: Hub) -> None:
    hub.repositories[NAME].gate = "hf_right"
    with raises("hub_access_denied", match=r"accepted its terms on .*--token or in HF_TOKEN"):
        pull_model(registry, NAME)
    with raises("hub_access_denied", match=r"refuses .* to the bearer of this token"):
        pull_model(registry, NAME, token="hf_wrong")  # noqa: S106 (nobody's)
    registry.verify(pull_model(registry, NAME, token="hf_right"))  # noqa: S106 (nobody's)


def without(*names: str) -> Callable[[dict[str, bytes]], object]:
    return lambda files: [files.pop(name) for name in names]


def as_pickles(files: dict[str, bytes]) -> None:
    for name in [name for name in files if name.endswith(".safetensors")]:
        files[name.replace("safetensors", "bin")] = files.pop(name)


def of_another_kind(files: dict[str, bytes]) -> None:
    files["config.json"] = files["config.json"].replace(b'"voxtral"', b'"whisper"')


def naming_a_path(files: dict[str, bytes]) -> None:
    files[INDEX] = files[INDEX].replace(SHARD.encode(), b"../../x.safetensors")


def of_nonsense(files: dict[str, bytes]) -> None:
    files["config.json"] = b"{" * 100_000


def naming_nothing(files: dict[str, bytes]) -> None:
    files[INDEX] = b'{"weight_map": {"a": 1}}'


def with_a_huge_vocabulary(files: dict[str, bytes]) -> None:
    files["tekken.json"] = b" " * (2**26 + 1)


def with_broken_weights(files: dict[str, bytes]) -> None:
    files[SHARD] = b"\xff" * 100


@pytest.mark.parametrize(
    ("change", "says", "weights"),
    [
        (as_pickles, "no weights as safetensors", False),
        (of_another_kind, "not a Voxtral Mini or Small that can be run: its model_type", False),
        (of_nonsense, "config.json", False),
        (naming_a_path, "no 'weight_map' of safetensors beside it", False),
        (naming_nothing, "no 'weight_map' of safetensors beside it", False),
        (with_a_huge_vocabulary, "tekken.json in acme/tiny-voxtral is larger than 64 MiB", False),
        (without("tekken.json"), "no tekken.json", False),
        (without(SECOND), f"lacks {SECOND}", False),
        (without("config.json", "params.json"), "holds no checkpoint of Voxtral", False),
        (with_broken_weights, "cannot be read as safetensors", True),
    ],
)
def test_other_models_than_voxtral_are_refused_and_leave_nothing(
    registry: Registry,
    hub: Hub,
    change: Callable[[dict[str, bytes]], object],
    says: str,
    weights: bool,
) -> None:
    change(hub.repositories[NAME].files)
    with pytest.raises(CheckpointError, match=says):
        pull_model(registry, NAME)
    assert any(name.endswith((".safetensors", ".bin")) for name in hub.fetched()) == weights
    assert nothing_is_here(registry)


def ask(hub: Hub, what: str) -> tuple[str, str | None]:
    """What to pull, after the hub was set up for it."""
    match what:
        case "another repository":
            return "acme/nobody", None
        case "another revision":
            return NAME, "v7"
        case "too many requests":
            hub.faults.statuses[NAME] = [429]
        case "a name of git's":
            return "acme/tiny.git", None
        case "a broken hub":
            hub.faults.statuses[NAME] = [502]
        case "no hub":
            os.environ["HF_ENDPOINT"] = "http://127.0.0.1:9"  # discard: nobody listens
    return NAME, None


@pytest.mark.parametrize(
    ("what", "code", "says"),
    [
        ("another repository", "repository_not_found", "knows no repository acme/nobody"),
        ("another revision", "repository_not_found", "has no revision 'v7'"),
        ("too many requests", "hub_failed", r"\(429\). Pull acme/tiny-voxtral again in 0 s"),
        ("a name of git's", "repository_not_found", "is not the name of a repository"),
        ("a broken hub", "hub_failed", "answered 502"),
        (
            "no hub",
            "hub_failed",
            r"no connection to the hub at 127\.0\.0\.1 \(.*`voxgate models import FILE` here",
        ),
    ],
)
def test_each_error_of_the_hub_has_its_sentence(
    registry: Registry, hub: Hub, what: str, code: Code, says: str
) -> None:
    name, revision = ask(hub, what)
    with raises(code, match=says):
        pull_model(registry, name, revision)
    assert nothing_is_here(registry)


@pytest.mark.parametrize("name", ["../x", "a/../b", "acme/", "a/b/c", "x" * 200, "ac me/x", ""])
def test_invalid_names_reach_neither_disk_nor_hub(registry: Registry, hub: Hub, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a model's name"):
        pull_model(registry, name)
    assert not hub.requests
    assert not registry.paths.models.exists()


def test_an_alias_pulls_the_official_repository(registry: Registry, hub: Hub) -> None:
    with raises("repository_not_found", match="mistralai/Voxtral-Small-24B-2507"):
        pull_model(registry, "voxtral-small-latest")


def test_a_pull_does_not_replace_an_added_folder(
    registry: Registry, hub: Hub, checkpoint: Path
) -> None:
    registry.add(checkpoint, NAME)
    with pytest.raises(UsageError, match="deletes nothing of it"):
        pull_model(registry, NAME)


def test_a_concurrent_second_pull_waits_and_fetches_nothing(registry: Registry, hub: Hub) -> None:
    hub.faults.held[SHARD] = 100
    done: list[object] = []
    said: list[str] = []
    waiting = threading.Event()

    def say(line: str) -> None:
        said.append(line)
        waiting.set()

    first = threading.Thread(target=lambda: done.append(pull_model(registry, NAME)))
    first.start()
    assert hub.holding.wait(30)
    second = threading.Thread(
        target=lambda: done.append(pull_model(registry, NAME, progress=StoreProgress(say)))
    )
    second.start()
    assert waiting.wait(30)
    hub.release.set()
    first.join(30)
    second.join(30)
    assert done == [*registry.list()] * 2
    assert "another command is changing" in said[0]
    assert "is already installed" in said[1]
    assert hub.fetched(host="cdn").count(SHARD) == 1


def test_without_the_client_the_sentence_says_what_to_install(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with raises("no_endpoints", match=r"pip install 'huggingface-hub<3,>=2\.4'"):
        pull_model(registry, NAME)


def test_a_malformed_commit_is_refused(registry: Registry, hub: Hub) -> None:
    hub.repositories[NAME].commit = "../../x"
    with pytest.raises(WrongContentError, match="does not report the commit"):
        pull_model(registry, NAME)
    hub.repositories[NAME].commit = sha1(b"x", usedforsecurity=False).hexdigest()
    pull_model(registry, NAME)
