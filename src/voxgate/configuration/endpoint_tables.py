"""The tables `[[endpoints]]` of the file: which model is at which provider elsewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from voxgate.configuration.provider_tables import (
    Seconds,
    provider_names,
    read_upstreams,
    unknown_provider,
)
from voxgate.configuration.tables import Table, read_tables
from voxgate.errors import SettingsError
from voxgate.upstreams import Endpoint, EndpointList, Precision
from voxgate.validation import shown

if TYPE_CHECKING:
    from collections.abc import Collection

    from voxgate.configuration.file import ConfigFile
    from voxgate.upstreams import Upstream

_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
MODEL_PATTERN = rf"^{_PART}(/{_PART})?$"
UPSTREAM_MODEL_PATTERN = r"^\S{1,200}$"
LANGUAGE_PATTERN = r"^[a-z]{2,3}$"  # three in Whisper's `yue` and `haw`
RESERVED = "default"  # the name that stands for a model which is chosen


def _model(value: str) -> str:
    if value.lower() == RESERVED or not re.fullmatch(MODEL_PATTERN, value):
        raise ValueError(
            f"'model' must be OWNER/NAME, as openai/whisper-large-v3, of letters, digits, '.', "
            f"'_' and '-', and not '{RESERVED}', which is chosen by itself."
        )
    return value


def _upstream_model(value: str) -> str:
    if not re.fullmatch(UPSTREAM_MODEL_PATTERN, value):
        raise ValueError("'upstream_model' must be 1 to 200 characters without spaces.")
    return value


def _language(value: str) -> str:
    if not re.fullmatch(LANGUAGE_PATTERN, value):
        raise ValueError(
            f"'languages' must be codes of ISO 639-1 in small letters, as 'de', and one is "
            f"{shown(value)}."
        )
    return value


Language: TypeAlias = Annotated[
    str, AfterValidator(_language), Field(json_schema_extra={"pattern": LANGUAGE_PATTERN})
]


class EndpointTable(Table):
    """A model at a provider elsewhere. What it does not say has the default of its kind."""

    model: Annotated[str, AfterValidator(_model)] = Field(
        description="The model as callers name it, `openai/whisper-large-v3`. Any name of a model "
        "of this machine makes it the same model, which is then served by both.",
        json_schema_extra={"pattern": MODEL_PATTERN, "not": {"const": RESERVED}},
    )
    provider: Annotated[str, Field(min_length=1)] = Field(
        description="The provider, by the `name` of its table."
    )
    upstream_model: Annotated[str, AfterValidator(_upstream_model)] = Field(
        description="The model as the provider names it, `whisper-large-v3`.",
        json_schema_extra={"pattern": UPSTREAM_MODEL_PATTERN},
    )
    languages: Annotated[list[Language], Field(min_length=1)] | None = Field(
        default=None,
        description="The languages that it knows there, by ISO 639-1; those of its family without.",
    )
    times: Literal["word", "segment", "none"] | None = Field(
        default=None, description="The finest times that it sends; by the kind without."
    )
    window_s: Seconds | None = Field(
        default=None,
        description="The longest piece of a recording that it is sent: 120, for OpenRouter 60, for "
        "vLLM 30, and no more than the provider takes.",
    )
    quantization: Precision | None = Field(
        default=None, description="The precision of its weights there, where it is known: `fp16`."
    )

    answers: bool = Field(
        default=False,
        description="Whether it answers questions about texts, by the route `/chat/completions`.",
    )
    hears_s: Seconds | None = Field(
        default=None,
        description="The most seconds of sound that it hears in a question, as `input_audio`. "
        "Without it, it reads the words that another model wrote.",
    )
    transcribes: bool = Field(
        default=True,
        description="Whether it transcribes: write false for a model of texts, with "
        "`answers = true`.",
    )

    @model_validator(mode="after")
    def _check_uses(self) -> Self:
        """Refuse what has no effect beside the rest."""
        if not self.answers and not self.transcribes:
            raise ValueError(
                "an endpoint transcribes, answers, or does both. Write answers = true, or leave "
                "'transcribes' out."
            )
        if self.hears_s is not None and not self.answers:
            raise ValueError(
                "'hears_s' is about questions, and this endpoint answers none. Write "
                "answers = true, or leave it out."
            )
        of_transcripts = ("languages", "times", "window_s")
        useless = [name for name in of_transcripts if getattr(self, name) is not None]
        if useless and not self.transcribes:
            raise ValueError(
                f"'{useless[0]}' is about transcripts, and this endpoint writes none. Leave it "
                f"out, or leave 'transcribes' out."
            )
        return self

    def endpoint(self, upstream: Upstream) -> Endpoint:
        """Return the endpoint at its provider."""
        return Endpoint(
            model=self.model,
            upstream=upstream,
            upstream_model=self.upstream_model,
            languages=tuple(dict.fromkeys(self.languages or ())),
            times=self.times,
            window_s=self.window_s,
            quantization=self.quantization,
            answers=self.answers,
            hears_s=self.hears_s or 0.0,
            transcribes=self.transcribes,
        )


def read_endpoints(
    file: ConfigFile, settings: Collection[str], faults: list[SettingsError]
) -> EndpointList:
    """Return the providers and endpoints in the file that are right; add all faults.

    `settings` are the names of settings, as in `read_tables`. An endpoint of a provider whose
    table is wrong is no further fault, and is left out.
    """
    upstreams = read_upstreams(file, settings, faults)
    by_name = {upstream.name: upstream for upstream in upstreams}
    listed = provider_names(file)
    entries: list[Endpoint] = []
    first: dict[tuple[str, str], str] = {}
    for index, table in read_tables(EndpointTable, "endpoints", file, settings, faults):
        place = file.place("endpoints", index)
        other = first.setdefault((table.model.lower(), table.provider), place)
        if other != place:
            faults.append(
                SettingsError(
                    f"{place}: '{table.model}' has another endpoint at '{table.provider}', at "
                    f"{other}. Remove one of them."
                )
            )
        elif table.provider not in listed:
            at = file.place("endpoints", index, "provider")
            faults.append(SettingsError(f"{at}: {unknown_provider(table.provider, listed)}"))
        elif upstream := by_name.get(table.provider):
            entries.append(table.endpoint(upstream))
    return EndpointList(upstreams, tuple(entries))
