"""JSON schemas that an answer can be made to follow.

`checked_schema` accepts a caller's schema or says why not: of what it accepts, everything is
enforced token by token (decisions/0037). Nothing is fetched, and no model is needed.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from voxgate.answers.keywords import SchemaFaultError
from voxgate.answers.recursion import find_endless
from voxgate.answers.schema_reader import SchemaReader
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from llguidance import LLParserLimits
    from llguidance._lib import JsonCompileOptions

    from voxgate.answers.schema_reader import Schema

ANY_OBJECT = '{"type":"object"}'
"""The schema of OpenAI's `json_object`."""

LARGEST_BYTES = 64 * 1024  # of the text, in UTF-8
LARGEST_DEPTH = 64  # of lists and objects in each other
MOST_NODES = 4_000  # lists, objects and values
MOST_SYMBOLS = 5_000  # of the grammar: up to it a mask takes less than a millisecond
LARGEST_MULTIPLE = 100_000  # the least that all `multipleOf` of a schema have in common: its states

SPACING: JsonCompileOptions = {
    # One space at most, after a comma or a colon: a model may write as it learnt to, and cannot
    # spend its tokens on white space.
    "whitespace_flexible": False,
    "item_separator": ", ?",
    "key_separator": ": ?",
    "coerce_one_of": False,
    "lenient": False,
    # Without \uXXXX: with it, "\u0061" would be another property than "a" for the mask, and the
    # same one for who reads the answer; and half of a pair could stand alone.
    "json_allowed_escapes": 'nrbtf\\"',
    "json_allow_general_unicode_escapes": False,
}

_NO_VALUE = "Unsatisfiable schema: "  # llguidance's
_ADVISED_END = "Make the property that repeats it optional, or allow null or an empty list there."
_ADVISED_ONE_OF = (
    "Use 'anyOf', or require of each alternative a property with a 'const' of its own."
)


def checked_schema(schema: object, where: str) -> str:
    """Return the text of the schema for `Question.schema`.

    `schema` is a caller's decoded JSON, and `where` names it, as in "'json_schema.schema'". Raises
    `UsageError` (`unsupported_schema`) that says what is wrong, where in the schema (as a JSON
    pointer), and what to do.
    """
    try:
        return _checked(schema)
    except SchemaFaultError as fault:
        place = f"at '{'/'.join(('', *fault.pointer))[:200]}'" if fault.pointer else "at its root"
        raise UsageError(
            f"{where} cannot be followed by answers: {place}, {fault.problem}. {fault.advice}",
            code="unsupported_schema",
        ) from None


def grammar(schema: str) -> str:
    """Return llguidance's grammar of a schema's text."""
    from llguidance import LLMatcher  # noqa: PLC0415 (8 MB that most commands do not need)

    return LLMatcher.grammar_from_json_schema(schema, overrides=SPACING)


def grammar_limits() -> LLParserLimits:
    """Return what llguidance may use for an answer; its own limits are for trusted schemas."""
    from llguidance import LLParserLimits  # noqa: PLC0415 (as above)

    return LLParserLimits(max_grammar_size=MOST_SYMBOLS, verbose_errors=False)


def _checked(schema: object) -> str:
    _check_size(schema)
    reader = SchemaReader()
    rewritten = reader.read(schema)
    endless = find_endless(reader.schemas, reader.targets)
    if endless is not None:
        raise SchemaFaultError(
            "what it requires contains itself without an end", endless, _ADVISED_END
        )
    _check_divisors(reader)
    text = _text(rewritten)
    _compile(text)
    return text


def _check_size(schema: object) -> None:
    """Check first what is slow or impossible to read at all."""
    nodes, pending = 0, [(schema, 1)]
    while pending:
        value, depth = pending.pop()
        nodes += 1
        if nodes > MOST_NODES:
            raise SchemaFaultError(
                f"it has more than {MOST_NODES} values", (), "Use a smaller schema."
            )
        if depth > LARGEST_DEPTH:
            raise SchemaFaultError(
                f"its parts are in each other more than {LARGEST_DEPTH} deep",
                (),
                "Put parts below '$defs', and point to them by '$ref'.",
            )
        if isinstance(value, dict):
            pending += [(each, depth + 1) for each in value.values()]
        elif isinstance(value, list):
            pending += [(each, depth + 1) for each in value]


def _check_divisors(reader: SchemaReader) -> None:
    """Check that parts of an `allOf` cannot multiply to a divisor that takes long."""
    schemas = [each for each in reader.schemas.values() if isinstance(each, dict)]
    if math.lcm(*(each.get("multipleOf", 1) for each in schemas)) > LARGEST_MULTIPLE:
        advice = "Use smaller ones, or fewer."
        raise SchemaFaultError("the numbers of its 'multipleOf' are too many", (), advice)


def _text(schema: Schema) -> str:
    try:
        text = json.dumps(schema, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        size = len(text.encode())
    except UnicodeEncodeError:
        advice = "Send its text as UTF-8."
        raise SchemaFaultError("a text in it is not Unicode", (), advice) from None
    except ValueError:
        raise SchemaFaultError("a number in it is not finite", (), "Leave it out.") from None
    if size > LARGEST_BYTES:
        problem = f"it has {size:,} bytes, and at most {LARGEST_BYTES:,} are read"
        raise SchemaFaultError(problem, (), "Use a smaller schema.")
    return text


def _compile(text: str) -> None:
    """Let llguidance read the schema, as it will for an answer."""
    from llguidance import LLMatcher  # noqa: PLC0415 (as above)

    _failed, messages = LLMatcher.validate_grammar_with_warnings(
        grammar(text), limits=grammar_limits()
    )
    if not messages:
        return
    reason = messages[0].splitlines()[0][:200]
    if reason.startswith(_NO_VALUE):
        reason = reason.removeprefix(_NO_VALUE)
        raise SchemaFaultError(f"no value is allowed ({reason})", (), "Remove what contradicts it.")
    if "oneOf" in reason:
        raise SchemaFaultError("the alternatives of a 'oneOf' may overlap", (), _ADVISED_ONE_OF)
    raise SchemaFaultError(f"a part is too complex or unknown ({reason})", (), "Use a simpler one.")
