"""Models with endpoints elsewhere: their names, what is here, prices, defaults, offline."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.failures import raises
from tests.whisper.weights import whisper_folder
from voxgate.errors import SettingsError, UnknownModelError, UsageError
from voxgate.models.available import AvailableModels, find_or_install, install_model
from voxgate.models.catalogue import find_named_model, why_not_installed
from voxgate.models.default_model import choose_default
from voxgate.models.elsewhere import left_out
from voxgate.models.footprint import memory_by_profile
from voxgate.models.placement import place_model
from voxgate.models.precision import precision_of
from voxgate.prices import ListedPrice, Price, PriceList
from voxgate.upstreams import Endpoint, EndpointList, Upstream

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.models.store.registry import Registry
    from voxgate.settings import Settings

BASE = "Systran/faster-whisper-base"
LARGE = "openai/whisper-large-v3"
GROQ = Upstream("groq", "compatible", "https://api.groq.com/openai/v1")
NEAR = Upstream("near", "vllm", "http://127.0.0.1:8001/v1")
NOW = datetime.now(UTC)
HOUR = Price(Decimal(1), "hour")


def listing(settings: Settings, *pairs: tuple[str, Upstream]) -> Settings:
    entries = tuple(Endpoint(model, upstream, "upstream-model") for model, upstream in pairs)
    upstreams = tuple(dict.fromkeys(upstream for _, upstream in pairs))
    return replace(settings, endpoints=EndpointList(upstreams, entries))


def names(settings: Settings) -> list[str]:
    return list(AvailableModels(settings))


def test_all_models_at_once_are_those_that_are_found_one_by_one(settings: Settings) -> None:
    elsewhere = listing(settings, (LARGE, GROQ), ("Acme/Tiny", NEAR), ("whisper-base", NEAR))
    models = AvailableModels(replace(elsewhere, model_aliases=(("best", LARGE), ("b", BASE))))
    assert list(models.values()) == [models[name] for name in models]
    assert len(models.values()) == len(models) == 3


def test_a_model_elsewhere_is_found_by_each_of_its_names(settings: Settings) -> None:
    elsewhere = listing(settings, (LARGE, GROQ), ("Acme/Tiny", NEAR), (LARGE.upper(), NEAR))
    aliases = (("best", LARGE), ("t", "acme/tiny"), ("twice", "best"))
    models = AvailableModels(replace(elsewhere, model_aliases=aliases))
    assert list(models) == [BASE, LARGE, "Acme/Tiny"]
    for name in (LARGE, LARGE.upper(), "whisper-large-v3", "large", "best", "BEST"):
        spec = models[name]
        assert (spec.name, spec.loader, models.own_name(name)) == (LARGE, None, LARGE)
        assert [each.upstream.name for each in spec.endpoints] == ["groq", "near"]
    assert {"best", "whisper-large-v3"} <= set(models[LARGE].aliases)
    assert models["acme/tiny"].name == models["T"].name == models.own_name("t") == "Acme/Tiny"
    assert models["Acme/Tiny"].released.year == 1970
    with pytest.raises(UnknownModelError, match="'twice' is 'best' by 'model_aliases'"):
        find_named_model("twice", models)  # as for models of this machine
    models.check_endpoints()
    assert "acme/missing" not in models


def test_endpoints_join_the_model_here_that_they_name(
    registry: Registry, settings: Settings, checkpoint: Path
) -> None:
    elsewhere = listing(settings, ("openai/whisper-base", GROQ), ("ACME/tiny", NEAR))
    assert names(elsewhere) == [BASE, "ACME/tiny"]
    registry.add(checkpoint, "acme/tiny")
    models = AvailableModels(elsewhere)
    assert list(models) == [BASE, "acme/tiny"]
    for name, own, provider in (("whisper-1", BASE, "groq"), ("acme/tiny", "acme/tiny", "near")):
        spec = models[name]
        assert (spec.name, models.own_name(name)) == (own, own)
        assert spec.loader is not None
        assert [each.upstream.name for each in spec.endpoints] == [provider]
    assert models["acme/tiny"].checkpoint == checkpoint
    assert AvailableModels(settings)[BASE].endpoints == ()


def test_a_published_model_elsewhere_is_no_other_one_of_its_shape_here(
    registry: Registry, settings: Settings
) -> None:
    """An alias stands for what was fine-tuned, too; an endpoint does not."""
    registry.add(whisper_folder(), "acme/mine")
    base = "openai/whisper-base"
    assert AvailableModels(settings)[base].name == "acme/mine"
    assert base in AvailableModels(settings)["acme/mine"].aliases
    models = AvailableModels(listing(settings, (base, GROQ)))
    assert models[base].name == models["whisper-1"].name == models.own_name(base) == BASE
    assert [each.upstream.name for each in models[base].endpoints] == ["groq"]
    assert models["acme/mine"].endpoints == ()
    assert base not in models["acme/mine"].aliases


def test_offline_leaves_out_what_is_on_other_machines(settings: Settings) -> None:
    listed = listing(settings, (LARGE, GROQ), ("acme/tiny", NEAR), ("acme/tiny", GROQ))
    offline = replace(listed, offline=True, prices=PriceList((ListedPrice(LARGE, HOUR),)))
    models = AvailableModels(offline)
    assert (left_out(listed), left_out(offline)) == ([], ["groq"])
    assert list(models) == [BASE, "acme/tiny"]
    assert [each.upstream.name for each in models["acme/tiny"].endpoints] == ["near"]
    with raises("offline", match=f"{LARGE} is on other machines alone, at groq, but"):
        find_named_model(LARGE, models)
    assert models.prices().find(LARGE, NOW) == HOUR  # its name is no fault


def test_the_default_is_elsewhere_only_where_nothing_runs_here(settings: Settings) -> None:
    listed = listing(settings, (LARGE, GROQ), ("acme/tiny", NEAR))
    assert find_named_model("default", AvailableModels(listed)).name == BASE
    small = replace(listed, engine_memory_bytes=1)
    chosen = choose_default(AvailableModels(small), small)
    assert chosen.spec.name == LARGE
    assert chosen.reason
    assert "memory" in chosen.reason
    offline = replace(small, offline=True)
    assert find_named_model("default", AvailableModels(offline)).name == "acme/tiny"
    none = replace(settings, engine_memory_bytes=1)
    assert find_named_model("default", AvailableModels(none)).name == BASE


def test_a_model_elsewhere_has_no_weights_here(settings: Settings) -> None:
    listed = listing(settings, (LARGE, GROQ))
    spec = AvailableModels(listed)[LARGE]
    assert place_model(spec, listed) == spec
    assert why_not_installed(spec) is None
    assert set(memory_by_profile(spec).values()) == {0}
    assert precision_of(spec) == "unknown"
    for call in (lambda: install_model(spec, listed), lambda: find_or_install(LARGE, listed)):
        with pytest.raises(
            UsageError, match="is not on this machine, but at groq: it has no files"
        ):
            call()


def test_two_endpoints_at_one_provider_by_two_names(settings: Settings) -> None:
    models = AvailableModels(listing(settings, (LARGE, GROQ), ("whisper-large-v3", GROQ)))
    with pytest.raises(SettingsError, match=f"{LARGE} and whisper-large-v3 are one model, which"):
        models.check_endpoints()


def priced(settings: Settings, *entries: ListedPrice) -> PriceList:
    return AvailableModels(replace(settings, prices=PriceList(entries))).prices()


def test_prices_go_with_a_model_that_is_installed_or_removed(settings: Settings) -> None:
    """A server reads them once, and the models' folder at every request."""
    listed = listing(settings, (LARGE, GROQ), ("openai/whisper-base", GROQ), ("acme/tiny", NEAR))
    two = Price(Decimal(2), "hour")
    entries = [ListedPrice("large", HOUR), ListedPrice(LARGE, two, provider="groq")]
    prices = priced(listed, *entries, ListedPrice("whisper-1", HOUR), ListedPrice("acme/tiny", two))
    for name in (LARGE, "Systran/faster-whisper-large-v3"):
        assert prices.find(name, NOW) == prices.find(name, NOW, "near") == HOUR
        assert prices.find(name, NOW, "groq") == two
    assert prices.find(BASE, NOW, "groq") == prices.find("openai/whisper-base", NOW) == HOUR
    assert prices.find("acme/tiny", NOW, "near") == two


def test_a_price_at_a_provider_without_the_model_is_refused(settings: Settings) -> None:
    listed = listing(settings, (LARGE, GROQ), ("acme/tiny", NEAR))
    priced(listed, ListedPrice(LARGE, HOUR, provider="local"))
    priced(listed, ListedPrice("*", HOUR, provider="near"))
    with pytest.raises(
        SettingsError, match=f"a price for {LARGE} at near, where it has no endpoint"
    ):
        priced(listed, ListedPrice("whisper-large-v3", HOUR, provider="near"))


def test_tokens_that_nobody_counts_are_not_charged(settings: Settings) -> None:
    listed = listing(settings, ("openai/whisper-base", GROQ))
    token = Price(Decimal(1), "million tokens")
    priced(listed, ListedPrice(BASE, token, provider="local"))
    priced(listed, ListedPrice(BASE, token), ListedPrice(BASE, HOUR, provider="groq"))
    for entry in (ListedPrice(BASE, token), ListedPrice("*", token, provider="groq")):
        with pytest.raises(SettingsError, match=f"by the token for {BASE} at groq, which does not"):
            priced(listed, entry)
