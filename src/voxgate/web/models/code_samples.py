"""`code_samples`: the first request of each client, as it can be run here."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDING = "voice-note.flac"
HOST = re.compile(r"[A-Za-z0-9._~-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


@dataclass(frozen=True, slots=True)
class CodeSample:
    """A client's program, and how it is installed."""

    id: str
    title: str
    install: str  # a command, or ""
    code: str


def base_url(scheme: str, host: str) -> str:
    """Return the server's address as the visitor has it.

    Raises `UsageError` for what is no host: it would be part of commands.
    """
    if not HOST.fullmatch(host):
        raise UsageError("The header 'Host' of this request is not a host's name.")
    return f"{scheme}://{host}"


def code_samples(url: str, model: str) -> list[CodeSample]:
    """Return the samples for the server at `url`, without a path, and a model's name."""
    return [
        CodeSample(id_, title, install, write(url, model))
        for id_, title, install, write in _CLIENTS
    ]


def _string(text: str) -> str:
    """Return a string of JSON, which Python and JavaScript read, too."""
    return json.dumps(text, ensure_ascii=False)


def _curl_json(url: str, model: str) -> str:
    name = _string(model).replace("\\", "\\\\").replace("%", "%%")  # for printf
    body = shlex.quote(f'{{"model": {name}, "input_audio": {{"data": "%s", "format": "flac"}}}}')
    return f"""\
printf {body} "$(base64 < {RECORDING} | tr -d '\\n')" |
  curl {url}/api/v1/audio/transcriptions \\
    -H "Authorization: Bearer $VOXGATE_KEY" \\
    -H "Content-Type: application/json" \\
    --data-binary @-"""


def _curl_form(url: str, model: str) -> str:
    field = shlex.quote(f"model={model}")
    return f"""\
curl {url}/api/v1/audio/transcriptions \\
  -H "Authorization: Bearer $VOXGATE_KEY" \\
  -F file=@{RECORDING} \\
  --form-string {field}"""


def _openai_py(url: str, model: str) -> str:
    return f"""\
import os
from openai import OpenAI

client = OpenAI(base_url="{url}/api/v1", api_key=os.environ["VOXGATE_KEY"])
with open("{RECORDING}", "rb") as recording:
    transcript = client.audio.transcriptions.create(model={_string(model)}, file=recording)
print(transcript.text)"""


def _openai_ts(url: str, model: str) -> str:
    return f"""\
import {{ createReadStream }} from "node:fs";
import OpenAI from "openai";

const client = new OpenAI({{ baseURL: "{url}/api/v1", apiKey: process.env.VOXGATE_KEY }});
const transcript = await client.audio.transcriptions.create({{
  model: {_string(model)},
  file: createReadStream("{RECORDING}"),
}});
console.log(transcript.text);"""


def _openrouter_py(url: str, model: str) -> str:
    return f"""\
import base64
import os
from openrouter import OpenRouter

with open("{RECORDING}", "rb") as recording:
    data = base64.b64encode(recording.read()).decode()
with OpenRouter(server_url="{url}/api/v1", api_key=os.environ["VOXGATE_KEY"]) as client:
    transcript = client.stt.create_transcription(
        model={_string(model)}, input_audio={{"data": data, "format": "flac"}}
    )
print(transcript.text)"""


def _openrouter_ts(url: str, model: str) -> str:
    return f"""\
import {{ readFile }} from "node:fs/promises";
import {{ OpenRouter }} from "@openrouter/sdk";

const client = new OpenRouter({{ serverURL: "{url}/api/v1", apiKey: process.env.VOXGATE_KEY }});
const data = await readFile("{RECORDING}", "base64");
const transcript = await client.stt.createTranscription({{
  sttRequest: {{ model: {_string(model)}, inputAudio: {{ data, format: "flac" }} }},
}});
console.log(transcript.text);"""


def _mistral_py(url: str, model: str) -> str:
    return f"""\
import os
from mistralai.client import Mistral

with Mistral(server_url="{url}/api", api_key=os.environ["VOXGATE_KEY"]) as client:
    with open("{RECORDING}", "rb") as recording:
        transcript = client.audio.transcriptions.complete(
            model={_string(model)}, file={{"content": recording, "file_name": "{RECORDING}"}}
        )
print(transcript.text)"""


def _mistral_ts(url: str, model: str) -> str:
    return f"""\
import {{ openAsBlob }} from "node:fs";
import {{ Mistral }} from "@mistralai/mistralai";

const client = new Mistral({{ serverURL: "{url}/api", apiKey: process.env.VOXGATE_KEY }});
const transcript = await client.audio.transcriptions.complete({{
  model: {_string(model)},
  file: await openAsBlob("{RECORDING}"),
}});
console.log(transcript.text);"""


def _voxgate(url: str, model: str) -> str:
    name = shlex.quote(model)
    return f"voxgate transcribe {RECORDING} --server {url} --model {name}"


_CLIENTS: tuple[tuple[str, str, str, Callable[[str, str], str]], ...] = (
    ("curl-json", "cURL, JSON", "", _curl_json),
    ("curl-form", "cURL, form", "", _curl_form),
    ("openai-python", "OpenAI, Python", "pip install openai", _openai_py),
    ("openai-typescript", "OpenAI, TypeScript", "npm install openai", _openai_ts),
    ("openrouter-python", "OpenRouter, Python", "pip install openrouter", _openrouter_py),
    (
        "openrouter-typescript",
        "OpenRouter, TypeScript",
        "npm install @openrouter/sdk",
        _openrouter_ts,
    ),
    ("mistral-python", "Mistral, Python", "pip install mistralai", _mistral_py),
    ("mistral-typescript", "Mistral, TypeScript", "npm install @mistralai/mistralai", _mistral_ts),
    ("voxgate", "voxgate", "", _voxgate),
)
"""The id of each sample, its title, how its client is installed, and what writes it."""
