import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.evaluation.scores import ErrorCounts, align

TEXTS = st.lists(st.sampled_from(["a", "b", "cc", "日", "ß"]), max_size=12)


@given(TEXTS.filter(bool), TEXTS)
def test_the_rate_is_jiwers(reference: list[str], hypothesis: list[str]) -> None:
    found = align(reference, hypothesis)
    assert found.counts.rate == pytest.approx(jiwer.wer(" ".join(reference), " ".join(hypothesis)))
    assert found.counts.reference == len(reference)


def test_the_rate_in_characters_is_jiwers() -> None:
    reference, hypothesis = "今日はいい天気です", "今日はよい天気でした"
    assert align(list(reference), list(hypothesis)).counts.rate == pytest.approx(
        jiwer.cer(reference, hypothesis)
    )


@given(TEXTS, TEXTS)
def test_the_steps_have_both_texts_in_order(reference: list[str], hypothesis: list[str]) -> None:
    steps = align(reference, hypothesis).steps
    assert [word for step in steps for word in step.reference] == reference
    assert [word for step in steps for word in step.hypothesis] == hypothesis
    for step in steps:
        assert (step.kind == "equal") == (step.reference == step.hypothesis)


def test_each_kind_of_error_is_counted() -> None:
    found = align(["we", "saw", "the", "red", "bird"], ["so", "we", "saw", "a", "bird"])
    assert found.counts == ErrorCounts(hits=3, substitutions=1, deletions=1, insertions=1)


def test_an_empty_reference_has_no_rate() -> None:
    assert align([], []).counts == ErrorCounts()
    assert align([], ["thanks"]).counts == ErrorCounts(insertions=1)
    assert align([], ["thanks"]).counts.rate is None
