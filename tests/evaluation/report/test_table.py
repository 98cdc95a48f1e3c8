from tests.evaluation.values import Attempts, evaluated, heard
from voxgate.errors import AudioError
from voxgate.evaluation.report.table import model_table, worst_table


def test_a_column_without_a_figure_is_left_out() -> None:
    evaluation = evaluated({"a.wav": "two dollars"}, {"m": {"a.wav": heard("$2")}})
    headings, rows = model_table(evaluation)
    assert headings == ["model", "WER", "sub", "del", "ins", "speed"]
    assert rows == [["m", "0.0 %", "0", "0", "0", "5.0 x"]]
    assert worst_table(evaluation)[1] == []


def test_every_figure_that_there_is_has_a_column() -> None:
    references = {
        "a.wav": "we saw it",
        "zh.wav": "你好",
        "b.wav": "no",
        "c.wav": "yes",
        "s.wav": "",
    }
    attempts: Attempts = {
        "a.wav": heard("we saw", cost=1_000_000),
        "zh.wav": heard("你们", language="zh", cost=1_000_000),
        "b.wav": AudioError("b.wav is broken."),
        "c.wav": heard("", cost=1_000_000),
        "s.wav": heard("thanks", cost=1_000_000),
    }
    evaluation = evaluated(references, {"m": attempts})
    headings, rows = model_table(evaluation)
    assert dict(zip(headings, rows[0], strict=True)) == {
        "model": "m",
        "WER": "75.0 %",
        "CER": "50.0 %",
        "sub": "1",
        "del": "2",
        "ins": "1",
        "no text": "1",
        "failed": "1",
        "speed": "5.0 x",
        "$/hour": "0.3600",
    }
    assert worst_table(evaluation) == (
        ["worst", "m"],
        [["c.wav", "100.0 %"], ["s.wav", "1 ins"], ["zh.wav", "50.0 %"], ["a.wav", "33.3 %"]],
    )


def test_models_of_one_name_keep_their_owners() -> None:
    for names, shown in (
        (["acme/one", "two"], ["one", "two"]),
        (["acme/one", "other/one"], ["acme/one", "other/one"]),
    ):
        models: dict[str, Attempts] = {name: {"a.wav": heard("no")} for name in names}
        assert worst_table(evaluated({"a.wav": "yes"}, models))[0] == ["worst", *shown]
