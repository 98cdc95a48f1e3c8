from __future__ import annotations

from typing import Any

import pytest

from voxgate.errors import UsageError
from voxgate.transcript.values import Options

NAN = float("nan")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("temperature", -0.1), ("temperature", 2.1), ("temperature", NAN)),
        *(("top_p", -0.1), ("top_p", 1.01), ("max_tokens", 0), ("stop", ("end", ""))),
        *(("frequency_penalty", -2.1), ("presence_penalty", float("inf"))),
        *(("beam_size", 0), ("beam_size", 11), ("task", "summarise")),
    ],
)
def test_a_value_out_of_its_range_is_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match=f"'{name}'"):
        Options(**{name: value})


def test_the_limits_themselves_are_allowed() -> None:
    assert Options(temperature=2, top_p=0, frequency_penalty=-2, presence_penalty=2, max_tokens=1)
    assert Options(beam_size=1)
    assert Options(beam_size=10)


def test_an_option_with_its_default_value_is_not_set() -> None:
    options = Options(temperature=0.5, seed=0, top_p=1.0)
    assert [name for name in ("temperature", "top_p", "seed", "stop") if options.is_set(name)] == [
        *("temperature", "seed")
    ]
    assert options.without("seed", "stop") == Options(temperature=0.5)
