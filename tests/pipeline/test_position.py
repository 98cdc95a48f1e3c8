"""How much of a recording is done, with windows that end in any order."""

from __future__ import annotations

import random

from voxgate.audio.spool import SAMPLE_RATE
from voxgate.audio.windows import Window
from voxgate.pipeline.position import Position

HOUR_S = 3600.0


def window(index: int, start_s: float, end_s: float) -> Window:
    return Window(index, round(start_s * SAMPLE_RATE), round(end_s * SAMPLE_RATE), ())


def test_a_later_window_that_is_done_first_moves_the_position() -> None:
    position = Position()
    first, second = window(0, 0, 30), window(1, 30, 60)
    position.expect(first)
    position.expect(second)
    assert position.seconds({0: 60.0}) == 0.0
    position.move(second, 10.0)
    assert position.seconds({0: 60.0}) == 10.0
    position.finish(second)
    assert position.seconds({0: 60.0}) == 30.0
    position.finish(first)
    assert position.seconds({0: HOUR_S}) == HOUR_S  # nobody speaks in the rest
    assert not position.unfinished


def test_a_window_that_is_recognised_once_more_moves_nothing_back() -> None:
    position = Position()
    only = window(0, 5, 25)
    position.expect(only)
    for done_s in (15.0, 0.0, 10.0):
        position.move(only, done_s)
        assert position.seconds({0: 25.0}) == 20.0
    position.move(only, 90.0)
    assert position.seconds({0: 25.0}) == 25.0


def test_a_second_of_one_channel_is_half_a_second_of_two() -> None:
    position = Position()
    quick, slow = window(0, 0, 30), window(1, 0, 30)
    position.expect(quick)
    position.expect(slow)
    position.finish(quick)
    assert position.seconds({1: 30.0, 2: 30.0}) == 15.0


def test_it_never_falls_and_never_counts_what_is_not_done() -> None:
    seed = random.randrange(2**32)
    print("seed", seed)
    dice = random.Random(seed)
    position, unfinished = Position(), dict[int, Window]()
    divided_s = done_s = before_s = 0.0
    for index in range(300):
        pause_s, length_s = dice.randrange(5), dice.randrange(1, 31)
        done_s += pause_s
        unfinished[index] = window(index, divided_s + pause_s, divided_s + pause_s + length_s)
        divided_s += pause_s + length_s
        position.expect(unfinished[index])
        while len(unfinished) > dice.randrange(8):
            ended = unfinished.pop(dice.choice(list(unfinished)))
            position.finish(ended)
            done_s += ended.end_s - ended.start_s
        assert before_s <= position.seconds({0: divided_s}) == done_s
        before_s = position.seconds({0: divided_s})
