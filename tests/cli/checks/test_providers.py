"""What doctor says of providers elsewhere, without asking them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from voxgate.cli.checks.models import check_model_names
from voxgate.cli.checks.providers import check_providers
from voxgate.cli.checks.software import check_settings
from voxgate.settings import Settings
from voxgate.upstreams import Endpoint, EndpointList, Upstream

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

GROQ = Upstream("groq", "compatible", "https://api.groq.com/v1", ("env:KEY_A", "env:KEY_B"))
NEAR = Upstream("near", "vllm", "http://127.0.0.1:9/v1")
LARGE = Endpoint("openai/whisper-large-v3", GROQ, "whisper-large-v3")


def settings(folder: Path, *endpoints: Endpoint) -> Settings:
    return replace(Settings(), home=folder, endpoints=EndpointList((GROQ, NEAR), endpoints))


def test_keys_are_counted_and_not_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = settings(tmp_path, LARGE)
    monkeypatch.delenv("KEY_A", raising=False)
    monkeypatch.delenv("KEY_B", raising=False)
    groq, near = check_providers(listed)
    assert (groq.state, near.state) == ("note", "ok")  # models of this machine work without it
    assert "it has no key: the variable KEY_A has no key; the variable KEY_B" in groq.found
    assert near.found.endswith("no model")
    monkeypatch.setenv("KEY_B", "value-of-the-key")
    groq, _ = check_providers(listed)
    assert groq.state == "ok"
    assert groq.found.endswith(f"{LARGE.model}; 1 of 2 keys are there")
    groq, near = check_providers(replace(listed, offline=True))
    assert "left out, since Voxgate must stay offline" in groq.found
    assert near.state == "ok"


def test_endpoints_are_told_with_the_settings_and_checked(tmp_path: Path) -> None:
    listed = settings(tmp_path, LARGE, replace(LARGE, model="large"))
    shown, *_ = check_settings(listed, ())
    assert "endpoints = openai/whisper-large-v3 at groq, large at groq" in shown.found
    (problem,) = check_model_names(listed)
    assert (problem.name, problem.state) == ("endpoints", "problem")
    assert "are one model, which has two endpoints at groq" in problem.found
