"""What is answered at once: help, the version and wrong usage."""

import json
import subprocess
import sys

import pytest

from tests.cli.command import CliRunner
from voxgate import __version__

HEAVY = {
    *("torch", "av", "numpy", "fastapi", "starlette", "uvicorn", "httpx2", "rich"),
    *("icu4py", "langcodes", "language_data"),
    *("jinja2", "jiwer", "rapidfuzz", "whisper_normalizer"),
    *("sqlalchemy", "alembic", "sqlite3", "huggingface_hub", "safetensors"),
}


def test_help_imports_nothing_heavy(cli: CliRunner) -> None:
    code = (
        "import atexit, json, sys\n"
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr))\n"
        "sys.argv = ['voxgate', '--help']\n"
        "from voxgate.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=cli.environment, capture_output=True, check=True
    )
    loaded = {name.partition(".")[0] for name in json.loads(done.stderr)}
    assert b"transcribe" in done.stdout
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize("group", [(), ("models",), ("keys",), ("db",), ("bench",), ("providers",)])
def test_help_cuts_no_sentence(cli: CliRunner, group: tuple[str, ...]) -> None:
    page = cli.run(*group, "-h").stdout
    assert "..." not in page.partition("\n")[2]
    assert max(map(len, page.splitlines())) <= 80


def test_the_help_says_which_json_has_times(cli: CliRunner) -> None:
    page = " ".join(cli.run("transcribe", "-h").stdout.split())
    assert "json (the text), verbose_json (with the times of segments and words), or all;" in page


def test_the_version_is_the_packages(cli: CliRunner) -> None:
    done = cli.run("--version")
    assert (done.returncode, done.stdout) == (0, f"voxgate {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("-m", "Systran/faster-whisper-bass"), "Systran/faster-whisper-base"),
        (("-f", "docx"), "verbose_json"),
        (("--language", "eo"), "list the 99 it knows"),
        (
            ("--frequency-penalty", "-1"),
            "base cannot fulfil '--frequency-penalty'",
        ),
        (("--presence-penalty", "0.5"), "cannot fulfil '--presence-penalty'"),
        (("--max-tokens", "0"), "--max-tokens"),
        (("--temperature", "3"), "--temperature"),
        (("--temperature", "nan"), "--temperature"),
        (("--top-p", "-1"), "--top-p"),
        (("--seed", "x"), "--seed"),
        (("--beam-size", "11"), "--beam-size"),
        (("--task", "sing"), "--task"),
        (("--stop", ""), "'--stop'"),
        (("-m", "./none"), "./none is not a readable folder"),
        (("-m", "/"), "contains no Voxtral checkpoint"),
        (("--channel-names", "Caller,Agent"), "Set '--channels' to split"),
        (("--channels", "split", "--channel-names", "Caller,,Agent"), "is empty"),
        (("--channels", "split", "--channel-names", "A,B", "-f", "json"), "choose another format"),
        (("--pcm", "s16le"), "encoding:rate:channels"),
        (("--formats", "txt"), "--format"),
        (("-f", "txt", "-f", "srt"), "add -o DIR"),
        (("b.wav", "-f", "srt"), "add -o DIR"),
        (("-o", "out", "below/a.wav"), "Two recordings of the same name"),
        (("-", "-"), "once"),
        (("",), "empty"),
    ],
)
def test_wrong_usage_is_reported_before_any_work(
    empty_cli: CliRunner, arguments: tuple[str, ...], says: str
) -> None:
    done = empty_cli.run("transcribe", "a.wav", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert "no file at" not in done.stderr
    assert not list(empty_cli.folder.iterdir())


def test_a_misspelt_setting_is_wrong_usage(cli: CliRunner) -> None:
    done = cli.run("transcribe", "a.wav", VOXGATE_SPOOL_DIRR="/tmp")
    assert done.returncode == 2
    assert "Nearest: VOXGATE_SPOOL_DIR." in done.stderr
