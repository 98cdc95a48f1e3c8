"""Providers and endpoints in the file: what is taken, what a kind has by itself, every fault."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from tests.failures import raises
from voxgate.configuration.file import ConfigFile
from voxgate.models.endpoint_capabilities import capabilities_of
from voxgate.prices import NO_PRICES
from voxgate.settings import Settings
from voxgate.transcript.values import Options
from voxgate.upstreams import NO_ENDPOINTS, Endpoint, EndpointList, Upstream, UpstreamKind

GOOD = """
[[providers]]
name = "groq"
kind = "compatible"
url = "https://api.groq.com/openai/v1/"
keys = ["env:GROQ_API_KEY", "file:/run/secrets/groq", "file:~/groq"]
max_bytes = 100000000
max_s = 7200
formats = ["ogg", "flac", "wav"]
concurrency = 8
patience_s = 30.5
data_collection = "deny"
zdr = true

[[providers]]
name = "openai"
kind = "openai"

[[endpoints]]
model = "openai/whisper-large-v3"
provider = "groq"
upstream_model = "whisper-large-v3"
languages = ["en", "de"]
times = "word"
window_s = 60
quantization = "fp16"

[[endpoints]]
model = "openai/whisper-large-v3"
provider = "openai"
upstream_model = "whisper-1"
"""
SECRET = "gsk_" + "abcdefgh1234567890abcd"


def written(folder: Path, text: str) -> ConfigFile:
    path = folder / "voxgate.toml"
    path.write_text(text)
    return ConfigFile.read(path)


def provider(**changes: str) -> str:
    values = {"name": "'p'", "kind": "'vllm'", "url": "'http://localhost:1/v1'"} | changes
    return "[[providers]]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())


def endpoint(**changes: str) -> str:
    values = {"model": "'a/b'", "provider": "'p'", "upstream_model": "'c'"} | changes
    return "[[endpoints]]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())


def faults(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    file = written(folder, text)
    settings, found = Settings.examine(environ or {}, file)
    assert found == [] or settings.endpoints == NO_ENDPOINTS or settings.prices == NO_PRICES
    return [fault.sentence.removeprefix(f"{file.path}:") for fault in found]


def test_values_are_taken_and_the_rest_is_that_of_the_kind(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD)
    settings, found = Settings.examine({}, file)
    assert found == []
    groq = Upstream(
        name="groq",
        kind="compatible",
        url="https://api.groq.com/openai/v1",
        keys=("env:GROQ_API_KEY", "file:/run/secrets/groq", "file:~/groq"),
        max_bytes=100_000_000,
        max_s=7200.0,
        formats=("ogg", "flac", "wav"),
        concurrency=8,
        patience_s=30.5,
        collects_data=False,
        zero_retention=True,
    )
    openai = Upstream("openai", "openai", "https://api.openai.com/v1", max_s=1400.0)
    model = "openai/whisper-large-v3"
    at_groq = Endpoint(model, groq, "whisper-large-v3", ("en", "de"), "word", 60.0, "fp16")
    at_openai = Endpoint(model, openai, "whisper-1")
    assert settings.endpoints == EndpointList((groq, openai), (at_groq, at_openai))
    assert Settings.given({}, file).origins["endpoints"] == f"{file.path}:2:1"


@pytest.mark.parametrize(
    ("kind", "url", "max_bytes", "max_s"),
    [
        ("openai", "https://api.openai.com/v1", 26_214_400, 1400),
        ("mistral", "https://api.mistral.ai/v1", 500_000_000, 3600),
        ("openrouter", "https://openrouter.ai/api/v1", 26_214_400, 600),
        ("vllm", "http://localhost:1/v1", 26_214_400, 600),
        ("compatible", "http://localhost:1/v1", 26_214_400, 600),
    ],
)
def test_a_kind_has_an_address_and_limits(
    kind: str, url: str, max_bytes: int, max_s: float, tmp_path: Path
) -> None:
    own = {} if url.startswith("https") else {"url": f"'{url}'"}
    values = {"name": "'p'", "kind": f"'{kind}'", **own}
    text = "[[providers]]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())
    settings, found = Settings.examine({}, written(tmp_path, text))
    (upstream,) = settings.endpoints.upstreams
    assert found == []
    assert (upstream.url, upstream.max_bytes, upstream.max_s) == (url, max_bytes, max_s)
    assert upstream.collects_data  # what is not known counts as that
    assert settings.endpoints.entries == ()


def test_what_is_not_kept_is_not_collected(tmp_path: Path) -> None:
    settings, _ = Settings.examine({}, written(tmp_path, provider(zdr="true")))
    assert not settings.endpoints.upstreams[0].collects_data


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (provider(name="'Groq'"), "2:1: 'name' must be 1 to 64 small letters"),
        (
            provider(name="'local'"),
            "2:1: 'name' must be 1 to 64 small letters, digits and",
        ),
        (provider(kind="'mistra'"), "3:1: 'kind' should be 'openai', 'mistral', 'openrouter',"),
        (provider(url="'localhost:1'"), "4:1: 'url' must be the address below which the routes"),
        (provider(url="'http://a:b/v1'"), "4:1: 'url' must be the address below which the routes"),
        (provider(url="'http://a/b c'"), "4:1: 'url' must be the address below which the routes"),
        (provider(url="'HTTP://8.8.8.8/v1'"), "4:1: 'url' must be the address below which the"),
        (provider(url="1"), "4:1: 'url' must be a text in quotes."),
        (provider(max_s="'1'"), "5:1: 'max_s' must be a number, as 5 or 0.5, and is '1'."),
        (provider(max_s="true"), "5:1: 'max_s' must be a number, as 5 or 0.5, and is true."),
        (provider(max_s="inf"), "5:1: 'max_s' must be a number"),
        (provider(max_s="0.5"), "5:1: 'max_s' should be at least 1, and is 0.5."),
        (provider(key="1"), "5:1: [[providers]] has no 'key'. Nearest: keys."),
        (provider(port="1"), "5:1: [[providers]] has no 'port'. 'port' is a setting, and stands"),
        (provider(zdr="true", data_collection="'allow'"), "5:1: a provider that keeps nothing"),
        ("[[providers]]\nname = 'p'\nkind = 'vllm'\n", "1:1: this [[providers]] has no 'url'. The"),
        (provider() + provider(kind="'openai'"), "6:1: the provider at "),
        ("providers = 3", "1:1: 'providers' must be tables. Begin each with a line [[providers]]"),
        (provider() + endpoint(model="'default'"), "6:1: 'model' must be OWNER/NAME, as openai/"),
        (provider() + endpoint(upstream_model="'a b'"), "8:1: 'upstream_model' must be 1 to 200"),
        (provider() + endpoint(languages="['de', 'German']"), "9:20: 'languages' must be codes"),
        (provider() + endpoint(times="'words'"), "9:1: 'times' should be 'word', 'segment' or"),
        (provider() + endpoint(window_s="0.5"), "9:1: 'window_s' should be at least 1, and is"),
        (endpoint(), "3:1: no [[providers]] is called 'p'. It lists none. Add its table."),
        (
            provider(name="'other'") + endpoint(),
            "7:1: no [[providers]] is called 'p'. It lists other. Add its table.",
        ),
        (
            provider(name="'groq'") + endpoint(provider="'grok'"),
            "7:1: no [[providers]] is called 'grok'. Nearest: groq.",
        ),
        (
            provider() + endpoint() + endpoint(model="'A/b'"),
            "9:1: 'A/b' has another endpoint at",
        ),
        (
            provider() + endpoint(transcribes="false"),
            "5:1: an endpoint transcribes, answers, or does both.",
        ),
        (provider() + endpoint(hears_s="60"), "5:1: 'hears_s' is about questions, and this"),
        (
            provider() + endpoint(answers="true", hears_s="0"),
            "10:1: 'hears_s' should be at least 1",
        ),
        (
            provider() + endpoint(answers="true", transcribes="false", times="'word'"),
            "5:1: 'times' is about transcripts, and this endpoint writes none.",
        ),
        (provider(max_s="'1'") + endpoint(), "5:1: 'max_s' must be"),  # and no second fault
        ("kind = 'vllm'", "1:1: 'kind' is not a setting. It is a field of [[providers]]. Move it"),
        ("model = 'a'", "1:1: 'model' is not a setting. It is a field of [[prices]] and of [[endp"),
        ("provider = []", "1:1: 'provider' is not a setting. It is a field of [[prices]] and of"),
        ("endpoint = []", "1:1: 'endpoint' is not a setting. Nearest: 'endpoints'."),
    ],
)
def test_each_fault_has_its_place(text: str, says: str, tmp_path: Path) -> None:
    (sentence,) = faults(tmp_path, text)
    assert sentence.startswith(says)


def test_an_endpoint_may_answer_hear_or_do_nothing_else(tmp_path: Path) -> None:
    at = endpoint(answers="true", hears_s="600.5") + endpoint(
        model="'a/text'", answers="true", transcribes="false"
    )
    both, text = Settings.examine({}, written(tmp_path, provider() + at))[0].endpoints.entries
    able = capabilities_of(both)
    assert (able.transcribes, able.answers, able.hears_s) == (True, True, 600.0)  # its `max_s`
    able = capabilities_of(text)
    assert (able.transcribes, able.answers, able.hears_s) == (False, True, 0.0)
    with raises("unsupported_option", "does not transcribe"):
        able.check("a/text", Options())
    able.check_question("a/text", Options(temperature=1.0, max_tokens=5, stop=("x",)))


@pytest.mark.parametrize(
    "text",
    [
        provider(keys=f"['{SECRET}']"),
        provider(keys=f"['env:{SECRET}']"),
        provider(keys="['env:KEY\\n']"),
        provider(keys=f"'{SECRET}'"),
        provider(keys=f"'env:{SECRET}'"),
        provider(keys=f"['env:KEY', ['{SECRET}']]"),
        provider(keys=f"{{key = '{SECRET}'}}"),
        provider(keys=f"['Bearer {SECRET}']"),
        provider(url=f"'https://me:{SECRET}@example.org/v1'"),
        provider(url=f"'https://{SECRET}@example.org/v1'"),
        provider(url=f"'https://example.org/v1?key={SECRET}'"),
        provider(url=f"'https://example.org/v1#{SECRET}'"),
        provider(api_key=f"'{SECRET}'"),
    ],
)
def test_what_may_be_a_key_is_refused_and_not_shown(text: str, tmp_path: Path) -> None:
    (sentence,) = faults(tmp_path, text)
    assert sentence.startswith(("4:1: ", "5:1: "))
    assert SECRET not in sentence


@pytest.mark.parametrize(
    ("host", "right"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("[::1]", True),
        ("10.0.0.7", True),
        ("100.100.1.1", True),  # a network of one's own by WireGuard, RFC 6598
        ("vllm", True),
        ("vllm.default.svc.cluster.local", True),
        ("nas.lan", True),
        ("8.8.8.8", False),
        ("[::ffff:8.8.8.8]", False),
        ("134744072", False),  # some systems take it for 8.8.8.8
        ("[fd00::1]", True),
        ("gpu.example.org", False),
        ("local.example.org", False),
    ],
)
def test_keys_go_by_http_to_networks_of_ones_own_alone(
    host: str, right: bool, tmp_path: Path
) -> None:
    found = faults(tmp_path, provider(url=f"'http://{host}:8000/v1'", keys="['env:KEY']"))
    assert bool(found) is not right
    assert all(each.startswith("4:1: 'url' is http, so everybody on the way") for each in found)
    for secure in (provider(url=f"'https://{host}/v1'", keys="['env:K']"),
                   provider(url=f"'http://{host}/v1'")):  # fmt: skip
        assert faults(tmp_path, secure) == []


def test_prices_name_providers_of_the_file(tmp_path: Path) -> None:
    price = "[[prices]]\nmodel = 'a/b'\namount = 1\nunit = 'hour'\nprovider = '{}'\n"
    assert faults(tmp_path, price.format("local")) == []
    assert faults(tmp_path, provider() + price.format("p") + price.format("local")) == []
    (sentence,) = faults(tmp_path, price.format("p"))
    assert sentence == "5:1: no [[providers]] is called 'p'. It lists local. Add its table."
    (sentence,) = faults(tmp_path, provider() + price.format("p") * 2)
    assert sentence.startswith("10:1: 'a/b' has another price at 'p' from the same day on, at ")


PAGE = Path(__file__).parents[2] / "docs" / "providers.md"
EXAMPLES = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def test_examples_of_the_page_are_accepted(tmp_path: Path) -> None:
    kinds = set()
    for text in EXAMPLES:
        settings, found = Settings.examine({}, written(tmp_path, text))
        assert found == [], text
        kinds |= {each.kind for each in settings.endpoints.upstreams}
    assert kinds == set(get_args(UpstreamKind))


def test_the_environment_has_no_endpoints(tmp_path: Path) -> None:
    (sentence,) = faults(tmp_path, "", {"VOXGATE_ENDPOINTS": "a/b"})
    assert sentence == (
        "VOXGATE_ENDPOINTS in the environment is not read: 'endpoints' are tables of voxgate.toml "
        "alone, [[endpoints]]. Write them there."
    )
    (sentence,) = faults(tmp_path, "", {"VOXGATE_ENDPOINT": "a/b"})
    assert "VOXGATE_ENDPOINTS" not in sentence
