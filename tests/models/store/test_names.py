from pathlib import Path

import pytest

from tests.failures import raises
from voxgate.errors import UnknownModelError, UsageError
from voxgate.models.store import names
from voxgate.models.store.names import FAMILIES, choose_model
from voxgate.models.store.record import ModelRecord

MINI, SMALL = FAMILIES[:2]


def record(name: str, family: str, installed_at: str = "2026-01-01") -> ModelRecord:
    return ModelRecord(name, "0" * 40, "pull", Path("/models"), "hf", family, (), installed_at)


@pytest.mark.parametrize(
    ("width", "layers", "family"),
    [
        (3072, 30, "voxtral-mini"),
        (5120, 40, "voxtral-small"),
        (3072, 26, "acme/own"),
        (5120, 30, "acme/own"),
        (48, 2, "acme/own"),
    ],
)
def test_a_family_is_defined_by_its_shape(width: int, layers: int, family: str) -> None:
    assert names.family_of(("voxtral", width, layers), "acme/own") == family


@pytest.mark.parametrize("alias", sorted(MINI.aliases | SMALL.aliases))
def test_an_alias_stands_only_for_its_family(alias: str) -> None:
    mine, other = (MINI, SMALL) if alias in MINI.aliases else (SMALL, MINI)
    kin, stranger = record("acme/kin", mine.name), record("acme/zz", other.name, "2026-09-09")
    own = record("acme/own-shape", "acme/own-shape", "2026-09-09")
    assert choose_model(alias, [stranger, kin, own]) == kin
    assert choose_model(alias.upper(), [stranger, kin, own]) == kin
    with raises("no_endpoints", match=f"`voxgate models pull {mine.repository}`"):
        choose_model(alias, [stranger, own])


def test_the_aliases_that_the_apis_use_are_known() -> None:
    assert {
        "mistralai/voxtral-mini-transcribe",
        "voxtral-mini-latest",
        "voxtral-mini-transcribe",
    } <= MINI.aliases
    assert {
        "mistralai/voxtral-small-24b-2507",
        "voxtral-small-latest",
        "voxtral-small",
    } <= SMALL.aliases
    assert not MINI.aliases & SMALL.aliases


def test_an_alias_prefers_the_official_then_the_latest_then_the_last_by_name() -> None:
    official = record(MINI.repository, MINI.name, "2026-01-01")
    early, late = record("a/early", MINI.name, "2026-02-01"), record("b/late", MINI.name, "2026-03")
    twin = record("c/twin", MINI.name, "2026-03")
    for several in ([official, early, late, twin], [twin, late, early, official]):
        assert choose_model("voxtral-mini-latest", several) == official
    assert choose_model("voxtral-mini-latest", [late, early]) == late
    assert choose_model("voxtral-mini-latest", [twin, early, late]) == twin


def test_the_aliases_of_a_model_are_those_that_choose_it() -> None:
    kin, later = record("a/kin", MINI.name, "2026-01"), record("b/later", MINI.name, "2026-02")
    stranger = record("c/own-shape", "c/own-shape")
    installed = [kin, later, stranger]
    assert set(names.aliases_of(later, installed)) == MINI.aliases
    assert names.aliases_of(kin, installed) == names.aliases_of(stranger, installed) == ()
    assert names.aliases_of(kin, [stranger]) == ()  # it was removed a moment ago


def test_a_models_own_name_has_precedence_over_aliases() -> None:
    official = record(MINI.repository, MINI.name)
    kin = record("acme/kin", MINI.name, "2026-09-09")
    assert choose_model(MINI.repository, [kin, official]) == official
    assert choose_model("acme/kin", [kin, official]) == kin


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(UnknownModelError, match=r"No model is called 'acme/kim'.*acme/kin"):
        choose_model("acme/kim", [record("acme/kin", MINI.name)])


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../x", "a/../b", "a..b", "/a", "a/", "a/b/c", ".hidden", "a/.hidden"),
        *("-rf", "a b", "a\nb", "a\0b", "ä", "a@b", "a--b", "x" * 97, "a\\b", "a:b", "~"),
    ],
)
def test_a_name_that_could_be_a_path_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a model's name"):
        names.check_name(name)


@pytest.mark.parametrize("name", ["a", "digits", "acme/own_1.5-b", "x" * 96, MINI.repository])
def test_other_names_are_free(name: str) -> None:
    assert names.check_free_name(name) == name


@pytest.mark.parametrize("name", ["voxtral-mini-latest", "Voxtral-Small", "openai/whisper-base"])
def test_names_and_aliases_in_use_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="stands for something else already"):
        names.check_free_name(name)
