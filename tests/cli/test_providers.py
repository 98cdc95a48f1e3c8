"""`voxgate providers`: what is listed, and what endpoints really make of known speech."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from tests.api.serving import error_of, served
from tests.cli.test_models_elsewhere import LARGE, TABLES
from tests.providers.upstream.test_chat import reply
from tests.websites import web_beside

if TYPE_CHECKING:
    from subprocess import CompletedProcess

    from tests.cli.command import CliRunner

PRICE = f"[[prices]]\nmodel = '{LARGE}'\nprovider = 'groq'\namount = 0.111\nunit = 'hour'\n"


def write(cli: CliRunner, text: str) -> None:
    home = cli.folder / "home"
    home.mkdir(exist_ok=True)
    (home / "voxgate.toml").write_text(text, "utf-8")


def rows(table: str) -> list[dict[str, str]]:
    headings, *values = (line.split("\t") for line in table.splitlines())
    return [dict(zip(headings, each, strict=True)) for each in values]


def test_the_list_tells_where_keys_are_and_never_what_they_are(empty_cli: CliRunner) -> None:
    write(empty_cli, TABLES + PRICE)
    done = empty_cli.run("providers", "list", KEY_OF_GROQ="value-of-the-key")
    assert (done.returncode, done.stderr) == (0, "")
    assert "value-of-the-key" not in done.stdout
    providers, endpoints = map(rows, done.stdout.split("\n\n"))
    row = endpoints[0]
    assert (row["provider"], row["model"], row["there"]) == ("groq", LARGE, "whisper-large-v3")
    assert (row["price"], row["times"], row["languages"]) == ("0.111/hour", "word", "99 languages")
    assert (endpoints[1]["provider"], endpoints[1]["price"]) == ("near", "none")
    row = providers[0]
    assert row["keys"].startswith("env:KEY_OF_GROQ is there; file:/nowhere/groq is missing: /")
    assert row["limits"].startswith("25 MiB, 600 s; 4 at once")
    assert providers[1]["keys"] == "none"
    found = json.loads(empty_cli.run("--offline", "providers", "list", "--json").stdout)
    assert [(each["name"], each["used"]) for each in found] == [("groq", False), ("near", True)]
    assert "KEY_OF_GROQ" in found[0]["keys"][0]["missing"]
    assert found[0]["endpoints"][0]["price"]["amount"] == "0.111"


def test_nothing_listed_is_said_and_not_an_empty_table(empty_cli: CliRunner) -> None:
    done = empty_cli.run("providers", "list")
    assert (done.returncode, done.stdout) == (0, "")
    assert "write [[providers]] and [[endpoints]] into voxgate.toml" in done.stderr
    assert empty_cli.run("providers", "test").returncode == 2
    write(empty_cli, TABLES)
    done = empty_cli.run("providers", "test", "grok")
    assert (done.returncode, "Nearest: groq." in done.stderr) == (2, True)


def test_a_price_or_an_endpoint_that_cannot_be_is_a_problem(empty_cli: CliRunner) -> None:
    write(empty_cli, TABLES + PRICE.replace("groq", "near"))
    done = empty_cli.run("config", "check")
    assert done.returncode == 1
    assert f"'prices' has a price for {LARGE} at near, where it has no endpoint" in done.stderr
    again = "[[endpoints]]\nmodel = 'large'\nprovider = 'groq'\nupstream_model = 'x'\n"
    write(empty_cli, TABLES + again)
    done = empty_cli.run("config", "check")
    assert done.returncode == 1
    assert f"{LARGE} and large are one model, which has two endpoints at groq" in done.stderr
    assert empty_cli.run("serve", "--port", "0").returncode == 2


async def test_a_server_that_stays_offline_names_what_it_leaves_out(empty_cli: CliRunner) -> None:
    write(empty_cli, TABLES)
    async with served(empty_cli, VOXGATE_OFFLINE="1") as server:
        (warning,) = (line for line in server.said if "left out" in line)
        listed = (await server.client.get("/providers")).json()["data"]
        answer = await server.client.get(f"/models/{LARGE}/endpoints")
    assert "Voxgate must stay offline, so these providers are left out" in warning
    assert warning.rstrip().endswith("other machines: groq.")
    assert [each["slug"] for each in listed] == ["local", "near"]
    assert answer.status_code == 403
    assert f"{LARGE} is on other machines alone, at groq" in error_of(answer)["message"]


async def test_a_trial_shows_what_endpoints_really_do(cli: CliRunner) -> None:
    """Another Voxgate by its key, with a wrong key, and where nothing listens."""
    provider = "[[providers]]\nname = '{}'\nkind = 'compatible'\nurl = '{}'\nkeys = ['env:{}']\n"
    endpoint = (
        "[[endpoints]]\nmodel = 'there/base'\nprovider = '{}'\n"
        "upstream_model = 'Systran/faster-whisper-base'\ntimes = '{}'\n"
    )
    async with served(cli) as server:
        url = f"{server.url}/v1"
        tables = [
            *(provider.format("voxgate", url, "GOOD"), endpoint.format("voxgate", "segment")),
            *(provider.format("wrong", url, "WRONG"), endpoint.format("wrong", "word")),
            *(provider.format("gone", "http://127.0.0.1:9/v1", "GOOD"),),
            *(endpoint.format("gone", "word"),),
        ]
        mine = cli.folder / "mine.toml"
        mine.write_text("".join(tables))
        keys: dict[str, Any] = {
            "GOOD": server.key,
            "WRONG": "sk-vg-wrong",
            "VOXGATE_CONFIG": str(mine),
        }

        def tried(*arguments: str) -> CompletedProcess[str]:
            return cli.run("providers", "test", *arguments, **keys)

        one = await asyncio.to_thread(tried, "voxgate")
        every = await asyncio.to_thread(tried, "--json")
    assert (one.returncode, one.stderr) == (0, "")
    (row,) = rows(one.stdout)
    assert (row["provider"], row["model"], row["works"]) == ("voxgate", "there/base", "yes")
    assert (row["times"], row["stated times"], row["language"]) == ("segment", "segment", "en")
    assert every.returncode == 1
    assert server.key not in every.stdout + every.stderr
    good, wrong, gone = json.loads(every.stdout)
    assert good["works"]
    assert good["word_error_rate"] <= 0.1
    assert "the train stopped outside the city" in good["text"]
    assert (wrong["works"], gone["works"]) == (False, False)
    assert "key" in wrong["problem"]
    assert wrong["word_error_rate"] is None
    assert gone["problem"]


def test_one_that_only_answers_is_asked_a_question(empty_cli: CliRunner) -> None:
    with web_beside() as site:
        site.answers["/v1/chat/completions"] = reply("Ready.")
        url = site.url("/v1", "127.0.0.1")
        provider = f"[[providers]]\nname = 'near'\nkind = 'compatible'\nurl = '{url}'\n"
        endpoint = "[[endpoints]]\nmodel = 'a/text'\nprovider = 'near'\nupstream_model = 'qwen3'\n"
        write(empty_cli, f"{provider}{endpoint}answers = true\ntranscribes = false\n")
        done = empty_cli.run("providers", "test")
        told = json.loads(empty_cli.run("providers", "test", "--json").stdout)
        listed = empty_cli.run("providers", "list")
    assert (done.returncode, done.stderr) == (0, "")
    (row,) = rows(done.stdout)
    assert (row["model"], row["works"], row["times"]) == ("a/text", "yes", "")
    assert (told[0]["text"], told[0]["word_error_rate"]) == ("Ready.", None)
    (row,) = rows(listed.stdout.split("\n\n")[1])
    assert (row["times"], row["languages"]) == ("answers questions", "")


def test_one_that_takes_less_than_the_sentence_is_not_asked(empty_cli: CliRunner) -> None:
    write(empty_cli, TABLES.replace('"vllm"', '"vllm"\nformats = ["wav"]\nmax_bytes = 65536'))
    done = empty_cli.run("providers", "test", "near")
    assert done.returncode == 1
    says = "near/openai/whisper-base takes 2.0 s at once, and the known sentence has 10.4 s, so it"
    assert says in done.stderr
