from voxgate.evaluation.report.columns import Cell, Column, side_by_side
from voxgate.evaluation.scores import align


def test_models_share_the_columns_of_the_reference_and_of_insertions() -> None:
    reference = ["the", "train", "stopped"]
    first, second = (
        align(reference, text.split()) for text in ("the old red train", "a train stopped now")
    )
    assert side_by_side(reference, [first, None, second]) == [
        Column("the", (Cell("equal", "the"), None, Cell("substitute", "a"))),
        Column(None, (Cell("insert", "old"), None, None)),
        Column(None, (Cell("insert", "red"), None, None)),
        Column("train", (Cell("equal", "train"), None, Cell("equal", "train"))),
        Column("stopped", (Cell("delete", ""), None, Cell("equal", "stopped"))),
        Column(None, (None, None, Cell("insert", "now"))),
    ]


def test_without_a_reference_there_are_insertions_alone() -> None:
    assert side_by_side([], [align([], ["thanks"])]) == [Column(None, (Cell("insert", "thanks"),))]
    assert side_by_side([], [None]) == []
