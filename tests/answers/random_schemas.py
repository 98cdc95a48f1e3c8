"""Random JSON schemas, most of them small enough that an answer ends.

Some contradict themselves, or have what answers cannot be made to follow. hypothesis-jsonschema
draws what their keywords say. The objects around that are hypothesis' own: hypothesis-jsonschema
0.23 makes objects by an interface that hypothesis 6.170 has no more.
"""

from typing import Any, NamedTuple

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis_jsonschema import from_schema

from voxgate.answers.schema import checked_schema
from voxgate.errors import UsageError

Drawn = st.SearchStrategy[Any]

NAMES = ["a", "b", "name", "größe", "x/y", "it's", 'q"', "id"]
PATTERNS = [  # two of them are refused
    r"^[a-z]{1,3}$",
    r"^\d{2}:\d{2}$",
    r"^(yes|no)$",
    r"\s",
    r"^\S{1,2}$",
    r"^.$",
    r"^[^\d\s]{1,2}$",
    r"^\w\W$",
    r"^[\w.]{0,2}$",
    r"^[\s\S]$",
    "b",
    r"(?=a)b",
    r"^a\b",
]
FORMATS = ["date", "time", "date-time", "uuid", "ipv4", "email", "phone", "duration"]
SCALARS = [None, True, False, 0, 1, -3, 17, 0.5, -1.25, 100_000, "", "a", "é\n", 'x"\\', "\t", "/"]


def drawn(**schema: Any) -> Drawn:
    """Values of a schema."""
    return from_schema(schema)


def whole(least: int, most: int) -> Drawn:
    return drawn(type="integer", minimum=least, maximum=most)


def having(**keywords: Drawn) -> Drawn:
    """Schemas with these keywords; `maybe_x` is `x`, and missing from some."""
    always = {k: v for k, v in keywords.items() if not k.startswith("maybe_")}
    maybe = {k.removeprefix("maybe_"): v for k, v in keywords.items() if k.startswith("maybe_")}
    return st.fixed_dictionaries(always, optional=maybe)


SCALAR: Any = {
    "anyOf": [
        {"enum": SCALARS},
        {"type": "integer", "minimum": -999, "maximum": 999},
        {"type": "string", "maxLength": 4},
    ]
}
SCALAR_VALUE = from_schema(SCALAR)
NAME = drawn(enum=NAMES)
SOME_NAMES = drawn(type="array", items={"enum": NAMES}, maxItems=2)
VALUE = st.one_of(
    SCALAR_VALUE,
    drawn(type="array", items=SCALAR, maxItems=2),
    st.dictionaries(NAME, SCALAR_VALUE, max_size=2),
)
VALUES = st.lists(VALUE, min_size=1, max_size=4)
BOUND = st.one_of(whole(-30, 30), drawn(enum=[0.5, -2.75, 1e-3, 12.125]))
NUMBER = {
    "maybe_minimum": BOUND,
    "maybe_maximum": BOUND,
    "maybe_exclusiveMinimum": BOUND,
    "maybe_exclusiveMaximum": BOUND,
    "maybe_multipleOf": whole(1, 12),
}
SIMPLE = st.one_of(
    having(
        type=st.just("string"),
        maxLength=whole(0, 4),
        maybe_minLength=whole(0, 2),
        maybe_pattern=drawn(enum=PATTERNS),
    ),
    having(type=st.just("string"), pattern=drawn(enum=PATTERNS)),
    having(type=st.just("string"), format=drawn(enum=FORMATS)),
    having(type=st.just("integer"), **NUMBER),
    having(type=st.just("number"), **NUMBER),
    having(type=drawn(enum=["boolean", "null", ["integer", "null"], ["string", "boolean"]])),
    having(const=VALUE),
    having(enum=VALUES, maybe_description=NAME),
    having(enum=VALUES, type=st.just(["string", "integer", "array", "boolean"])),
    drawn(enum=[True, False]),
    st.sampled_from([{}, {"format": "date"}, {"multipleOf": 0.5}, {"not": {}}]),
)


def nested(inner: Drawn) -> Drawn:
    """Schemas whose parts are `inner`."""
    some = st.lists(inner, min_size=1, max_size=3)
    named = st.dictionaries(NAME, inner, max_size=3)
    array = having(
        type=st.just("array"),
        maxItems=whole(0, 2),
        maybe_minItems=whole(0, 2),
        maybe_items=inner,
        maybe_prefixItems=some,
        maybe_uniqueItems=drawn(type="boolean"),
    )
    an_object = having(
        type=st.just("object"),
        properties=named,
        additionalProperties=st.one_of(*[st.just(value=False)] * 4, inner),
        maybe_required=SOME_NAMES,
        maybe_maxProperties=whole(0, 3),
        maybe_minProperties=whole(0, 2),
    )
    return st.one_of(
        array,
        an_object,
        an_object,
        having(anyOf=some, maybe_properties=named, maybe_type=drawn(enum=["object", "string"])),
        having(oneOf=some),
        having(allOf=some, maybe_title=NAME, maybe_type=drawn(enum=["object", "array"])),
        having(anyOf=some, allOf=some, maybe_enum=VALUES),
    )


inner_schemas = st.one_of(SIMPLE, nested(st.one_of(SIMPLE, nested(SIMPLE))))
random_schemas = st.one_of(SIMPLE, *[nested(inner_schemas)] * 4)


class DrawnSchemas(NamedTuple):
    """Random schemas, the simplest first."""

    accepted: list[tuple[Any, str]]  # each with its checked text
    refused: int


def draw_schemas(examples: int, number: int) -> DrawnSchemas:
    """Draw so many schemas by a seed, and say which are accepted."""
    accepted, refused = list[tuple[Any, str]](), 0

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(random_schemas)
    def draw(schema: Any) -> None:
        nonlocal refused
        try:
            accepted.append((schema, checked_schema(schema, "The schema")))
        except UsageError as error:
            if error.code != "unsupported_schema":
                raise
            refused += 1

    draw()
    return DrawnSchemas(accepted, refused)
