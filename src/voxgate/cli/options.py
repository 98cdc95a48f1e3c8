"""The options of a transcription as the command line writes them."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

Language: TypeAlias = Annotated[
    str | None, typer.Option(metavar="CODE", help="The language spoken, e.g. en (ISO 639-1).")
]
Temperature: TypeAlias = Annotated[
    float,
    typer.Option(
        min=0, max=2, metavar="NUMBER", help="Chance in choosing words; 0 takes the likeliest."
    ),
]
TopP: TypeAlias = Annotated[
    float,
    typer.Option(min=0, max=1, metavar="NUMBER", help="Choose from this share of the likeliest."),
]
Seed: TypeAlias = Annotated[
    int | None, typer.Option(metavar="NUMBER", help="Choose the same way each time.")
]
MaxTokens: TypeAlias = Annotated[
    int | None,
    typer.Option(min=1, metavar="NUMBER", help="End each transcript after so many tokens."),
]
Stop: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="TEXT", help="End each transcript before this text; may be repeated."),
]
FrequencyPenalty: TypeAlias = Annotated[
    float,
    typer.Option(
        min=-2, max=2, metavar="NUMBER", help="Against what was said already, by how often it was."
    ),
]
PresencePenalty: TypeAlias = Annotated[
    float, typer.Option(min=-2, max=2, metavar="NUMBER", help="Against what was said already.")
]
