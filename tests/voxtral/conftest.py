"""The checkpoints of these tests, written once per session, and the reference on them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.voxtral import checkpoints, vocabulary
from tests.voxtral.mistral import save_mistral
from tests.voxtral.reference import Reference
from voxgate.voxtral.checkpoint.loader import Checkpoint
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.network import Network


@pytest.fixture(scope="package", autouse=True)
def _one_thread() -> Iterator[None]:
    """Small tensors gain nothing from more threads, and lose much on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("voxtral")


@pytest.fixture(scope="session")
def tekken(home: Path) -> Path:
    """The tokenizer of the tiny vocabulary."""
    return vocabulary.write_tekken(home / "tekken-tiny" / "tekken.json", vocabulary.TINY_TEXTS)


@pytest.fixture(scope="session")
def full_tekken(home: Path) -> Path:
    """The tokenizer with all text tokens of the published vocabulary."""
    return vocabulary.write_tekken(home / "tekken-full" / "tekken.json", vocabulary.ALL_TEXTS)


@pytest.fixture(scope="session")
def hf(home: Path, tekken: Path) -> Path:
    """Hugging Face's layout in one file, float32."""
    return checkpoints.save_hf(checkpoints.random_model(), tekken, home / "hf")


@pytest.fixture(scope="session")
def sharded(home: Path, tekken: Path) -> Path:
    """The same weights in several files with an index."""
    return checkpoints.save_hf(checkpoints.random_model(), tekken, home / "sharded", shard="500KB")


@pytest.fixture(scope="session")
def mistral(home: Path, hf: Path) -> Path:
    """The same weights in Mistral's layout."""
    return save_mistral(hf, home / "mistral")


@pytest.fixture(scope="session")
def hf_bf16(home: Path, tekken: Path) -> Path:
    """The same weights, rounded to bfloat16, the published dtype."""
    model = checkpoints.random_model().to(torch.bfloat16)
    return checkpoints.save_hf(model, tekken, home / "hf-bf16")


@pytest.fixture(scope="session")
def published(home: Path, full_tekken: Path) -> Path:
    """One layer with the embeddings and the head of the published vocabulary: 200 MB."""
    model = checkpoints.random_model(vocabulary.ALL_TEXTS, width=192, layers=1)
    return checkpoints.save_hf(model, full_tekken, home / "published")


@pytest.fixture(scope="session")
def voxtral(hf: Path) -> Voxtral:
    """The model under test, in float32."""
    return Voxtral.load(hf, dtype=torch.float32)


@pytest.fixture(scope="session")
def network(hf: Path) -> Network:
    """The network of the same checkpoint."""
    return Checkpoint.open(hf).load(torch.float32)


@pytest.fixture(scope="session")
def reference(hf: Path) -> Reference:
    return Reference(hf)
