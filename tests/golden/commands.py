"""What the command line says: help, transcripts, lists, and the refusal of misuse."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.cli.command import CliRunner, clip, isolated_cli, write_wav
from tests.golden.cases import HEARD, Case, case
from tests.sounds import SAMPLE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from subprocess import CompletedProcess

FORMATS = ("txt", "srt", "vtt", "tsv", "json", "verbose_json")
MODEL = ("-m", "Systran/faster-whisper-base")

COMMANDS = (
    *("", "transcribe", "serve", "keys", "keys create", "keys list", "keys show", "keys edit"),
    *("keys revoke", "models", "models pull", "models add", "models list", "models show"),
    *("models rm", "models export", "wyoming", "models import", "ps", "unload", "engine"),
    *("bench", "bench engine", "doctor"),
    *("eval", "keys apply", "config", "config check", "config show", "config schema"),
    *("providers", "providers list", "providers test"),
)

MISUSE: dict[str, tuple[str, ...]] = {
    "no such command": ("bogus",),
    "no such option": ("transcribe", "a.wav", "--formats", "txt"),
    "no recording": ("transcribe",),
    "no file": ("transcribe", *MODEL, "none.wav"),
    "a text": ("transcribe", *MODEL, "text.wav"),
    "an empty file": ("transcribe", *MODEL, "empty.wav"),
    "a folder without sound": ("transcribe", *MODEL, "hollow"),
    "an empty name": ("transcribe", ""),
    "the input twice": ("transcribe", "-", "-"),
    "unknown model": ("transcribe", "a.wav", "-m", "Systran/faster-whisper-bass"),
    "unknown folder": ("transcribe", "a.wav", "-m", "./none"),
    "no checkpoint": ("transcribe", "a.wav", "-m", "./hollow"),
    "unknown format": ("transcribe", "a.wav", "-f", "docx"),
    "two formats on one output": ("transcribe", "a.wav", "-f", "txt", "-f", "srt"),
    "same name twice": ("transcribe", "a.wav", "hollow/a.wav", "-o", "out"),
    "a language": ("transcribe", "a.wav", *MODEL, "--language", "cy"),
    "a promise": ("transcribe", "a.wav", *MODEL, "--max-tokens", "5"),
    "a range": ("transcribe", "a.wav", "--temperature", "3"),
    "a declaration": ("transcribe", "a.wav", "--pcm", "s16le"),
    "a server that is not there": ("transcribe", "text.wav", "--server", "http://127.0.0.1:9"),
    "a server's address": ("transcribe", "a.wav", "--server", "ftp://a"),
    "an address to serve": ("serve", "--host", "192.0.2.1", "--port", "0"),
    "a model to preload": ("serve", "--port", "0", "--preload", "Systran/faster-whisper-bass"),
    "a key without a name": ("keys", "create", "--name", ""),
    "a key that is not there": ("keys", "revoke", "nobody"),
    "a model to show": ("models", "show", "acme/none"),
    "a model to remove": ("models", "rm", "acme/none"),
    "a model to pull": ("models", "pull", "acme/../none"),
    "a folder to add": ("models", "add", "hollow"),
    "a bundle to import": ("models", "import", "text.wav"),
    "--json in front": ("models", "--json", "list"),
    "nothing to unload": ("unload",),
    "an engine without a model": ("engine", "acme/none", "--socket", "socket"),
    "a pull without a network": ("--offline", "models", "pull", "acme/none"),
}

PLAIN: dict[str, tuple[str, ...]] = {
    "version": ("--version",),
    "models": ("models",),
    "models json": ("models", "list", "--json"),
    "ps": ("ps",),
    "ps json": ("ps", "--json"),
    "unload nothing": ("unload", "--all"),
    "keys none": ("keys", "list"),
    "keys none json": ("keys", "list", "--json"),
}


def collect(folder: Path) -> dict[str, Case]:
    """Run everything."""
    with isolated_cli(folder, installed=False) as cli:
        (folder / "text.wav").write_text("This is a text.\n" * 20)
        (folder / "empty.wav").touch()
        (folder / "hollow").mkdir()
        helps = run_all(cli, [(*name.split(), "--help") for name in COMMANDS])
        found = {
            f"help {name}".strip(): shown_help(cli, done)
            for name, done in zip(COMMANDS, helps, strict=True)
        }
        calls = {**PLAIN, **{f"misuse: {name}": call for name, call in MISUSE.items()}}
        done = run_all(cli, list(calls.values()))
        found |= {name: outcome(cli, each) for name, each in zip(calls, done, strict=True)}
        found |= transcripts(cli) | keys(cli)
        found["doctor json"] = doctor(cli)
    return found


def run_all(cli: CliRunner, calls: list[tuple[str, ...]]) -> list[CompletedProcess[str]]:
    """Run each call, two at a time."""
    with ThreadPoolExecutor(2) as threads:
        return [*threads.map(lambda call: cli.run(*call, COLUMNS="100", TZ="UTC"), calls)]


def run(cli: CliRunner, *arguments: str) -> Case:
    """Exit code and standard output; standard error is prose."""
    return outcome(cli, cli.run(*arguments))


def outcome(cli: CliRunner, done: CompletedProcess[str]) -> Case:
    value = {"code": done.returncode, "stdout": parsed(done.stdout), "prose": done.stderr}
    return case(value, places(cli))


def parsed(text: str) -> Any:
    """JSON as JSON; any other text by lines."""
    if text[:1] in {"[", "{"}:
        with suppress(ValueError):
            return json.loads(text)
    return text.splitlines()


def places(cli: CliRunner) -> Mapping[str, str]:
    return {str(cli.folder): "<folder>", str(cli.temp): "<temp>", str(SAMPLE.parent): "<samples>"}


def shown_help(cli: CliRunner, done: CompletedProcess[str]) -> Case:
    """Usage, names of options and commands, and defaults; the whole page is prose."""
    page = done.stdout
    options = page.partition("\nOptions:")[2]
    declared = re.findall(r"^  (-\S.*?|[a-z]+)(?:  |$)", options, re.MULTILINE)
    defaults = re.findall(r"\[(default:[^\]]*|required)\]", " ".join(page.split()))
    value = {
        "code": done.returncode,
        "usage": page.partition("\n")[0],
        "declared": [" ".join(each.split()) for each in declared],
        "defaults": defaults,
        "prose": " ".join(page.split()),
    }
    return case(value, places(cli))


def transcripts(cli: CliRunner) -> dict[str, Case]:
    """The voice note in every format, in files and on standard output.

    Without kernels: each level rounds in its own way, so that a full stop may become a comma.
    """
    cli = replace(cli, settings=cli.settings | {"VOXGATE_KERNELS": "off"})
    wanted = [argument for name in FORMATS for argument in ("-f", name)]
    found = {"transcribe": run(cli, "transcribe", *MODEL, *wanted, "-o", "out", str(SAMPLE))}
    for path in sorted((cli.folder / "out").glob("[!.]*")):
        text = path.read_text("utf-8")
        written = parsed(text) if path.suffix == ".json" else untimed(text)
        found[f"written {path.name}"] = case(written, places(cli), numbers=HEARD)
    piped = cli.run(
        "transcribe", *MODEL, "-", stdin=write_wav(cli.folder / "a.wav", clip()).read_bytes()
    )
    return {**found, "piped": outcome(cli, piped)}


def untimed(text: str) -> list[str]:
    """Return each line of times once, without its numbers, then the words in one line.

    Where subtitles are divided depends on the times, which differ between processors.
    """
    lines = re.sub(r"\d+", "0", text).splitlines()
    words = [line for line in lines if any(map(str.islower, line))]
    return [*dict.fromkeys(line for line in lines if line not in words), " ".join(words)]


def keys(cli: CliRunner) -> dict[str, Case]:
    """The life of a key; what is random about it is replaced."""
    made = cli.run("keys", "create", "--name", "golden")
    found = {"keys create": outcome(cli, made)}
    calls = {
        "keys list": ("keys", "list"),
        "keys list json": ("keys", "list", "--json"),
        "keys revoke": ("keys", "revoke", "golden"),
        "keys list revoked": ("keys", "list"),
    }
    for name, call in calls.items():
        (done,) = run_all(cli, [call])
        done.stdout, done.stderr = (without_digits(each) for each in (done.stdout, done.stderr))
        found[name] = outcome(cli, done)
    return found


def without_digits(text: str) -> str:
    """Replace a key's hash and label."""
    text = re.sub(r"\b[0-9a-f]{64}\b", "<hash>", text)
    return re.sub(r"sk-vg-[\w-]*\.{3}[\w-]+", "<label>", text)


def doctor(cli: CliRunner) -> Case:
    """The checks' names and fields: what they find is the machine's."""
    done = cli.run("--offline", "doctor", "--json")
    checks = json.loads(done.stdout)
    value = {
        "code": done.returncode,
        "checks": [[check["name"], sorted(check)] for check in checks],
        "states": {c["name"]: c["state"] for c in checks if c["name"] in SURE},
        "settings": [c["found"].split(", ")[0] for c in checks if c["name"] == "settings"],
    }
    return case(value, places(cli))


SURE = {
    "voxgate",
    "python",
    "av",
    "soxr",
    "spool",
    "home",
    MODEL[1],
    "decoder",
    "engine",
}
"""Checks whose state no machine changes."""
