"""Shards, one file, Mistral's layout and the older spellings are all the same model."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.voxtral import checkpoints
from tests.voxtral.mistral import save_mistral
from tests.voxtral.reference import Reference
from tests.voxtral.signals import chirp
from voxgate.errors import CheckpointError
from voxgate.voxtral.checkpoint.directory import Layout
from voxgate.voxtral.checkpoint.loader import Checkpoint
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.network import Network

HEAD = {"hf": "language_model.lm_head.weight", "mistral": "output.weight"}


def load(folder: Path, layout: Layout | None = None) -> Network:
    return Checkpoint.open(folder, layout).load(torch.float32)


def assert_same(ours: Network, theirs: Network) -> None:
    expected = dict(theirs.named_parameters())
    for name, weight in ours.named_parameters():
        assert torch.equal(weight, expected.pop(name)), name
    assert not expected


def test_shards_hold_the_same_weights(sharded: Path, network: Network) -> None:
    assert_same(load(sharded), network)


def test_mistrals_layout_holds_the_same_weights(mistral: Path, network: Network) -> None:
    assert_same(load(mistral), network)


def test_every_parameter_is_loaded(network: Network) -> None:
    assert not [name for name, weight in network.named_parameters() if weight.is_meta]
    assert not any(weight.requires_grad for weight in network.parameters())


@pytest.mark.parametrize("theta", [1e8, 1e4])
def test_the_older_spelling_and_the_older_name_give_the_same_ids(
    tekken: Path, tmp_path: Path, theta: float
) -> None:
    model = checkpoints.random_model(rope_theta=theta)
    newer = checkpoints.save_hf(model, tekken, tmp_path / "newer")
    older = checkpoints.altered(newer, tmp_path / "older", config=checkpoints.spell_as_before)
    twin = checkpoints.altered(
        save_mistral(newer, tmp_path / "twin"),
        tmp_path / "older-twin",
        lambda weights: rename(weights, "mm_whisper_embeddings.tok_embeddings.weight"),
    )
    (expected,) = Reference(newer).greedy([chirp(3.2)], "en")
    for folder in (newer, older, twin):
        generation = Voxtral.load(folder, dtype=torch.float32).generate(chirp(3.2), "en", 12)
        assert list(generation.token_ids) == expected


def rename(weights: dict[str, torch.Tensor], name: str) -> None:
    weights["tok_embeddings.weight"] = weights.pop(name)


@pytest.mark.parametrize("tied", [None, True])
def test_a_head_that_is_there_is_used(
    hf: Path, tmp_path: Path, network: Network, tied: bool | None
) -> None:
    said = {} if tied is None else {"tie_word_embeddings": tied}

    def say(config: dict[str, Any]) -> None:
        for table in (config, config["text_config"]):
            table.pop("tie_word_embeddings")
            table.update(said)

    assert_same(load(checkpoints.altered(hf, tmp_path / "untied", config=say)), network)


def test_without_a_head_the_embeddings_are_it(hf: Path, tmp_path: Path) -> None:
    headless = checkpoints.altered(
        hf, tmp_path / "tied", lambda weights: weights.pop(HEAD["hf"]), checkpoints.spell_as_before
    )
    decoder = load(headless).decoder
    assert decoder.head.weight is decoder.embeddings.weight


@pytest.mark.parametrize("layout", ["hf", "mistral"])
def test_a_head_that_is_said_to_be_there_must_be(
    request: pytest.FixtureRequest, tmp_path: Path, layout: str
) -> None:
    headless = checkpoints.altered(
        request.getfixturevalue(layout),
        tmp_path / "headless",
        lambda weights: weights.pop(HEAD[layout]),
        lambda config: config.update({"tie_word_embeddings": False, "tied_embeddings": False}),
    )
    with pytest.raises(CheckpointError, match=f"lacks the tensor '{HEAD[layout]}'"):
        Checkpoint.open(headless)


def test_both_layouts_side_by_side_are_never_mixed(
    hf: Path, mistral: Path, tmp_path: Path, network: Network
) -> None:
    def double(weights: dict[str, torch.Tensor]) -> None:
        weights.update({name: 2 * weight for name, weight in weights.items()})

    both = checkpoints.altered(mistral, tmp_path / "both", double)
    shutil.copytree(hf, both, dirs_exist_ok=True)
    assert_same(load(both), network)
    doubled = dict(load(both, "mistral").named_parameters())
    for name, weight in network.named_parameters():
        if name != "encoder.positions":  # computed
            assert torch.equal(doubled[name], 2 * weight), name
