"""Upstreams that are other people's software: LiteLLM's proxy, and open-asr-server with Whisper."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benchmarks.measured_server import free_port, run_program
from jiwer import wer

from tests.sounds import SAMPLE, WORDS
from tests.upstreams.gateway import Elsewhere, gateway
from voxgate.models.available import find_or_install
from voxgate.settings import Settings

PEERS = Path(__file__).parents[2] / ".venv" / "peers"
KEY = "sk-other-software"
RECORDING = SAMPLE.read_bytes()
LITELLM = """\
model_list:
  - model_name: {model}
    litellm_params:
      model: openai/{model}
      api_base: {url}/api/v1
      api_key: {key}
    model_info:
      mode: audio_transcription
general_settings:
  master_key: {master}
"""


def program(name: str, path: str) -> str:
    """Return the path of a peer's program. Skip the test where it is not installed."""
    if not (PEERS / name / "installed").exists():
        pytest.skip("the peers of the benchmarks are not installed")
    return str(PEERS / name / "bin" / path)


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    file = tmp_path / "other.key"
    file.write_text(KEY, encoding="utf-8")
    return f"file:{file}"


@pytest.mark.long
async def test_litellms_proxy_is_an_upstream(tmp_path: Path, key_file: str) -> None:
    """It stands before the same server as the provider beside it."""
    command, port = program("litellm", "litellm"), free_port()
    providers = [
        Elsewhere("direct"),
        Elsewhere("litellm", url=f"http://127.0.0.1:{port}/v1", upstream={"keys": (key_file,)}),
    ]
    async with gateway(tmp_path, providers) as elsewhere:
        config = tmp_path / "litellm.yaml"
        behind = {"url": elsewhere.behind.url, "key": elsewhere.behind.key}
        config.write_text(
            LITELLM.format(model=providers[1].upstream_model, master=KEY, **behind), "utf-8"
        )
        async with run_program(
            *(command, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)),
            *("--telemetry", "False"),
            port=port,
            key=KEY,
            ready="/health/liveliness",
            log=tmp_path / "litellm.log",
            environment={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        ):
            for format_ in ("json", "verbose_json"):
                answer = await elsewhere.post(
                    RECORDING,
                    provider={"only": ["litellm"]},
                    language="de",
                    response_format=format_,
                )
                assert answer.status_code == 200, answer.text
                assert answer.json()["text"].startswith("litellm heard 10.")
                assert (await elsewhere.fact(answer))["provider_name"] == "litellm"


def hub_cache(folder: Path) -> Path:
    """Return a cache of the hub that has the weights of Whisper base, as faster-whisper looks."""
    record = find_or_install("openai/whisper-base", replace(Settings(), home=folder / "home"))
    repository = folder / "hub" / "models--Systran--faster-whisper-base"
    for part in ("refs", "snapshots"):
        (repository / part).mkdir(parents=True)
    (repository / "refs" / "main").write_text(record.revision, "utf-8")
    (repository / "snapshots" / record.revision).symlink_to(record.folder)
    return folder / "hub"


@pytest.mark.long
async def test_open_asr_server_with_whisper_is_an_upstream(tmp_path: Path, key_file: str) -> None:
    command, port = program("open_asr", "open-asr-server"), free_port()
    url = f"http://127.0.0.1:{port}/v1"
    whisper = Elsewhere(
        "whisper", url=url, upstream={"keys": (key_file,)}, upstream_model="openai/whisper-base"
    )
    async with (
        run_program(
            *(command, "serve", "--host", "127.0.0.1", "--port", str(port)),
            port=port,
            key=KEY,
            ready="/v1/models",
            log=tmp_path / "open_asr.log",
            environment={
                **os.environ,
                "OPEN_ASR_SERVER_API_KEY": KEY,
                "OPEN_ASR_DEFAULT_BACKEND": "faster-whisper",
                "HF_HUB_CACHE": str(hub_cache(tmp_path)),
                "HF_HUB_OFFLINE": "1",
            },
        ),
        gateway(tmp_path, [whisper]) as elsewhere,
    ):
        times: dict[str, Any] = {"timestamp_granularities[]": "word"}
        answer = await elsewhere.post(RECORDING, response_format="verbose_json", **times)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert wer(WORDS, body["text"]) < 0.2
    words = body["words"]
    assert len(words) == len(body["text"].split())
    assert [word["start"] for word in words] == sorted(word["start"] for word in words)
    assert body["language"] == "en"
