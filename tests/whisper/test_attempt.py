"""Which of several texts of a window is kept where none can be trusted."""

from __future__ import annotations

from voxgate.transcript.values import REPEATS, UNLIKELY
from voxgate.whisper.attempt import Attempt, best_attempt
from voxgate.whisper.model import Hypothesis


def attempt(
    text: str, doubt: str | None, log_probability: float = -0.3, *, ended: bool = True
) -> Attempt:
    return Attempt(
        hypothesis=Hypothesis((1,), log_probability, 0.1, ended),
        text=text,
        temperature=0.0,
        compression_ratio=1.0,
        doubt=doubt,
        silent=not text,
    )


def test_a_loop_that_ends_comes_before_one_that_never_does() -> None:
    endless, short = attempt("go go go go", REPEATS, ended=False), attempt("go go", REPEATS)
    longer = attempt("go go go", REPEATS, -0.1)
    assert best_attempt([endless, short, longer]) is short


def test_of_loops_that_never_end_the_first_is_kept() -> None:
    first, second = (attempt(text, REPEATS, ended=False) for text in ("go go", "no no"))
    assert best_attempt([first, second]) is first


def test_any_text_comes_before_a_loop_and_a_trusted_one_before_all() -> None:
    loop, guess = attempt("go go", REPEATS), attempt("gone", UNLIKELY, -1.5)
    likelier = attempt("going", UNLIKELY, -1.1)
    assert best_attempt([loop, guess, likelier]) is likelier
    assert best_attempt([loop, guess, trusted := attempt("They go.", None)]) is trusted


def test_silence_after_a_likely_loop_loses_nothing() -> None:
    loop = attempt("three three three", REPEATS)
    assert best_attempt([loop, attempt("", None)]) is loop
