import jiwer
import pytest

from tests.evaluation.values import Attempts, evaluated, heard
from voxgate.errors import AudioError
from voxgate.evaluation.evaluation import ScoredRecognition
from voxgate.evaluation.scores import ErrorCounts

TWO = {"a.wav": "the train stopped outside the city", "b.wav": "no"}


def test_the_rate_of_a_model_is_all_errors_by_all_words() -> None:
    texts = {"a.wav": "the train stops inside city", "b.wav": "no no"}
    (figures,) = evaluated(TWO, {"m": {name: heard(texts[name]) for name in TWO}}).models
    assert figures.words.rate == pytest.approx(jiwer.wer(list(TWO.values()), list(texts.values())))
    assert figures.words == ErrorCounts(hits=4, substitutions=2, deletions=1, insertions=1)
    assert figures.characters == ErrorCounts()


def test_scripts_without_spaces_have_a_rate_of_their_own() -> None:
    references = {"ja.wav": "今日はいい天気です。", "en.wav": "no"}
    texts: Attempts = {
        "ja.wav": heard("今日は よい天気です", language="ja"),
        "en.wav": heard("yes"),
    }
    (figures,) = evaluated(references, {"m": texts}).models
    assert figures.characters.rate == pytest.approx(
        jiwer.cer("今日はいい天気です", "今日はよい天気です")
    )
    assert (figures.words.rate, figures.words.reference) == (1.0, 1)


def test_speed_is_that_of_all_the_sound() -> None:
    (figures,) = evaluated(TWO, {"m": dict.fromkeys(TWO, heard("no"))}).models
    assert (figures.audio_s, figures.processing_s) == (20.0, 4.0)
    assert (figures.real_time_factor, figures.times_real_time) == (0.2, 5.0)


def test_coverage_counts_recordings_with_speech_and_no_text() -> None:
    references = {**TWO, "silence.wav": ""}
    attempts: Attempts = {"a.wav": heard(""), "b.wav": heard("no"), "silence.wav": heard("")}
    (figures,) = evaluated(references, {"m": attempts}).models
    assert (figures.spoken, figures.without_text, figures.coverage) == (2, 1, 0.5)
    assert evaluated({"s.wav": ""}, {"m": {"s.wav": heard("")}}).models[0].coverage is None


def test_what_is_said_in_silence_is_an_insertion() -> None:
    (figures,) = evaluated({"s.wav": ""}, {"m": {"s.wav": heard("thank you")}}).models
    assert (figures.words.insertions, figures.words.rate) == (2, None)


def test_a_failure_has_no_part_in_the_figures_of_its_model_alone() -> None:
    models: dict[str, Attempts] = {
        "m": {"a.wav": heard(TWO["a.wav"]), "b.wav": AudioError("b.wav is broken.")},
        "n": {"a.wav": heard("")},
    }
    first, second = evaluated(TWO, models).models
    assert (first.recordings, first.failed, first.not_begun, first.words.rate) == (1, 1, 0, 0.0)
    assert (second.recordings, second.failed, second.not_begun) == (1, 0, 1)
    assert (second.words.deletions, second.words.rate) == (6, 1.0)


def test_the_cost_of_an_hour_is_known_if_all_recordings_have_one() -> None:
    priced: Attempts = dict.fromkeys(TWO, heard("no", cost=1_000_000))
    (figures,) = evaluated(TWO, {"m": priced}).models
    assert figures.nanodollars_per_hour == 2_000_000 * 180
    (free,) = evaluated(TWO, {"m": {**priced, "b.wav": heard("no")}}).models
    assert free.nanodollars_per_hour is None


@pytest.mark.parametrize(
    ("named", "in_manifest", "detected", "language"),
    [
        ("en", "de", "cy", "en"),
        (None, "English", "cy", "en"),
        (None, "en-US", None, "en"),
        (None, None, "en", "en"),
        (None, None, None, None),
    ],
)
def test_the_language_is_the_callers_else_the_manifests_else_the_models(
    named: str | None, in_manifest: str | None, detected: str | None, language: str | None
) -> None:
    models: dict[str, Attempts] = {"m": {"a.wav": heard("do not", language=detected)}}
    evaluation = evaluated(
        {"a.wav": "don't"}, models, language=named, manifest_language=in_manifest
    )
    (scored,) = evaluation.recordings
    assert scored.language == language
    assert evaluation.of_unknown_language == ([] if language else ["a.wav"])
    (result,) = scored.results
    assert isinstance(result, ScoredRecognition)
    assert result.counts.errors == (0 if language else 2)


def test_most_models_decide_on_a_language_for_all() -> None:
    votes = {"m": "cy", "n": "en", "o": "en"}
    models: dict[str, Attempts] = {
        name: {"a.wav": heard("do not", language=voted)} for name, voted in votes.items()
    }
    evaluation = evaluated({"a.wav": "don't"}, models)
    assert evaluation.recordings[0].language == "en"
    assert [each.words.errors for each in evaluation.models] == [0, 0, 0]


def test_the_worst_have_the_most_errors_for_their_length() -> None:
    references = {"right.wav": "yes", **TWO, "silence.wav": "", "broken.wav": "yes"}
    attempts: Attempts = {
        "right.wav": heard("yes"),
        "a.wav": heard("the train stopped at the city"),
        "b.wav": heard("yes"),
        "silence.wav": heard("thank you"),
        "broken.wav": AudioError("broken.wav is broken."),
    }
    worst = evaluated(references, {"m": attempts}).worst_first
    assert [each.recording.name for each in worst] == [
        *("silence.wav", "b.wav", "a.wav", "right.wav", "broken.wav"),
    ]
