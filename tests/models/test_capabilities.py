from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.failures import raises
from voxgate.models.capabilities import HINT_OPTIONS, STRICT_OPTIONS, Capabilities
from voxgate.transcript.values import Options
from voxgate.whisper.languages import ENGLISH_ONLY, WITH_CANTONESE

ASKED = {
    "max_tokens": Options(max_tokens=1),
    "stop": Options(stop=("end",)),
    "frequency_penalty": Options(frequency_penalty=0.1),
    "presence_penalty": Options(presence_penalty=-0.1),
    "beam_size": Options(beam_size=5),
    "prompt": Options(prompt="A talk of Voxgate."),
    "temperature": Options(temperature=0.1),
    "top_p": Options(top_p=0.9),
    "seed": Options(seed=0),
}
LISTED = "`voxgate models show a/b` and a server's /models list the 100 it knows."


def able(*options: str) -> Capabilities:
    return Capabilities(30.0, ("en",), "none", options=frozenset(options))


def test_every_option_is_strict_or_a_hint() -> None:
    assert {"language", "vocabulary", "task", "draft", *STRICT_OPTIONS, *HINT_OPTIONS} == set(
        Options.__dataclass_fields__
    )
    assert {*STRICT_OPTIONS, *HINT_OPTIONS} == ASKED.keys()


@pytest.mark.parametrize("name", STRICT_OPTIONS)
def test_a_strict_option_is_honoured_or_refused(name: str) -> None:
    able(name).check("a/b", ASKED[name])
    assert able(name).honoured(ASKED[name]) == (ASKED[name], ())
    with raises("unsupported_option", match=rf"^a/b cannot fulfil '{name}'\. Leave it out, or ask"):
        able(*(ASKED.keys() - {name})).check("a/b", ASKED[name])


@pytest.mark.parametrize("name", HINT_OPTIONS)
def test_a_hint_is_honoured_or_removed_and_named(name: str) -> None:
    assert able(name).honoured(ASKED[name]) == (ASKED[name], ())
    assert able().honoured(ASKED[name]) == (Options(), (name,))
    able().check("a/b", ASKED[name])


def test_a_draft_is_passed_on_to_models_that_use_one() -> None:
    asked = Options(draft="what was heard")
    assert replace(able(), drafts=True).honoured(asked) == (asked, ())
    assert able(*ASKED).honoured(asked) == (Options(), ("draft",))
    able().check("a/b", asked)


def test_the_vocabulary_is_a_hint() -> None:
    asked = Options(vocabulary=("Voxgate",))
    taking = replace(able(), vocabulary=True)
    assert taking.honoured(asked) == (asked, ())
    assert taking.honoured(Options()) == able().honoured(Options()) == (Options(), ())
    assert able(*ASKED).honoured(asked) == (Options(), ("vocabulary",))
    able().check("a/b", asked)


def test_a_language_that_the_model_lacks_is_refused() -> None:
    able().check("a/b", Options("en"))
    with raises("unsupported_language", match="It knows: en"):
        able().check("a/b", Options("fr"))


def test_translation_is_done_or_refused_by_a_model_that_says_so() -> None:
    asked = Options(task="translate")
    replace(able(), translates=True).check("a/b", asked)
    with raises("unsupported_option", match=r"^a/b cannot translate\. Transcribe with it, or"):
        able(*ASKED).check("a/b", asked)


@pytest.mark.parametrize(
    ("known", "asked", "sentence"),
    [
        (WITH_CANTONESE, "germn", f"'germn'. Nearest: German (de). {LISTED}"),
        (WITH_CANTONESE, "klingon", f"'Klingon (tlh)'. {LISTED}"),
        (
            ENGLISH_ONLY,
            "Deutsch",
            "'German (de)'. It knows: en. Ask for one of these, or for another model.",
        ),
    ],
)
def test_an_unknown_language_is_named_with_the_nearest_or_with_where_they_are_listed(
    known: tuple[str, ...], asked: str, sentence: str
) -> None:
    wanted = re.escape(f"a/b does not know the language {sentence}")
    with raises("unsupported_language", match=f"^{wanted}$"):
        replace(able(), languages=known).check("a/b", Options(asked))
