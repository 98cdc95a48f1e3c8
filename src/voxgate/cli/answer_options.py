"""The options of `voxgate extract`, `ask` and `summarize` that differ from those of transcripts."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

AnsweringModelOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        metavar="MODEL|FOLDER",
        help="Which model.  [default: of those that answer, the one that was installed last]",
    ),
]
AnswerTemperatureOption: TypeAlias = Annotated[
    float,
    typer.Option(
        min=0, max=2, metavar="NUMBER", help="Randomness in choosing words; 0 takes the likeliest."
    ),
]
AnswerTokensOption: TypeAlias = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="NUMBER",
        help="Write at most so many tokens for each recording.  [default: 4096]",
    ),
]
AnswerServerOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        envvar="VOXGATE_SERVER",
        help="Do it on a Voxgate server, e.g. http://localhost:8000.",
    ),
]
