"""`response_format` and `structured_outputs` as objects, and the data that they ask for.

`response_format` is OpenAI's and Mistral's object, `structured_outputs` vLLM's. The latter stands
beside a `response_format` that names the shape of the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field, WithJsonSchema

from voxgate.answers.schema import checked_schema
from voxgate.api.body.strict_json import parse_json
from voxgate.api.dialects.wire_types import WireModel, WireText, validated
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT, OUTPUTS = "response_format", "structured_outputs"
OBJECTS = (FORMAT, OUTPUTS)
"""The fields that may be objects. In a form or an address an object is JSON text."""


WireSchema: TypeAlias = Annotated[Any, WithJsonSchema({"type": ["object", "boolean"]})]
"""A JSON schema, which `checked_schema` judges."""


class NamedSchema(WireModel):
    """A JSON schema with the caller's name for it."""

    name: Annotated[str, Field(max_length=256)] | None = None
    description: WireText | None = Field(None, description="What the data is, for the model.")
    definition: WireSchema = Field(alias="schema", description="The JSON schema itself.")
    strict: bool | None = Field(None, description="Data follows the schema in any case.")


class FormatObject(WireModel):
    """The object form of `response_format`: `json_schema` asks for data beside the text."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: NamedSchema | None = None


class StructuredOutputs(WireModel):
    """The object form of `structured_outputs`: a schema of data beside the text."""

    definition: WireSchema = Field(alias="json", description="A JSON schema.")


@dataclass(frozen=True, slots=True)
class DataRequest:
    """Data that a caller wants of a recording beside its text."""

    schema: str  # text of a JSON schema that `checked_schema` accepted
    description: str  # of the data, by the caller; may be empty
    field: str  # that asks for it


def data_request(fields: Mapping[str, Any]) -> DataRequest | None:
    """Return what the two fields ask for; None where neither is an object with a schema.

    Raises `UsageError` for another object, and for two schemas; and `UsageError`
    (`unsupported_schema`) for a schema that no model here can follow.
    """
    asked = [each for each in (_of_format(fields), _of_outputs(fields)) if each]
    if len(asked) > 1:
        raise UsageError(
            f"The request has two schemas, in '{FORMAT}' and in '{OUTPUTS}'. Send one of them."
        )
    return asked[0] if asked else None


def _of_format(fields: Mapping[str, Any]) -> DataRequest | None:
    given = fields.get(FORMAT)
    if not isinstance(given, dict):
        return None
    format_ = validated(FormatObject, given, FORMAT)
    named = format_.json_schema
    if format_.type != "json_schema":
        return None
    if named is None:
        raise UsageError(
            f"'{FORMAT}' has the type 'json_schema' and no schema. Add it: "
            f'{{"type": "json_schema", "json_schema": {{"name": "...", "schema": {{...}}}}}}.'
        )
    where = f"{FORMAT}.json_schema.schema"
    schema = checked_schema(named.definition, f"'{where}'")
    return DataRequest(schema, (named.description or "").strip(), FORMAT)


def _of_outputs(fields: Mapping[str, Any]) -> DataRequest | None:
    given = fields.get(OUTPUTS)
    if not isinstance(given, dict):
        return None
    if unknown := sorted(given.keys() - {"json"}):
        raise UsageError(
            f"'{OUTPUTS}.{unknown[0][:100]}' is not done here. Send a JSON schema as "
            f"'{OUTPUTS}.json', or leave it out.",
            code="unsupported_option",
        )
    definition = validated(StructuredOutputs, given, OUTPUTS).definition
    where = f"'{OUTPUTS}.json'"
    if isinstance(definition, str):  # vLLM takes it as text, too
        definition = parse_json(definition.encode("utf-8", "surrogatepass"), where)
    return DataRequest(checked_schema(definition, where), "", OUTPUTS)
