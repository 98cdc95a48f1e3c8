"""The tables `[[providers]]` of the file: servers elsewhere, and where their keys are."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from voxgate.configuration.names import nearest
from voxgate.configuration.tables import NUMBER, Table, read_tables
from voxgate.errors import SettingsError
from voxgate.upstreams import LOCAL, SoundFormat, Upstream, UpstreamKind

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from voxgate.configuration.file import ConfigFile

NAME_PATTERN = r"^[a-z0-9-]{1,64}$"
KEY_PATTERN = r"^(env:[A-Za-z_][A-Za-z0-9_]*|file:(/|~/).+)$"
URL_PATTERN = r"^https?://[^\s@?#/]+(/[^\s?#]*)?$"
DAY_S = 86_400

DEFAULTS: dict[UpstreamKind, dict[str, Any]] = {
    # 25 MiB by its own error; a recording of more than 1400 s is refused: openai-api.md 6.
    "openai": {"url": "https://api.openai.com/v1", "max_s": 1400.0},
    # The smaller one of the lengths that it documents, 60 minutes and 3 hours: mistral-api.md 7.
    "mistral": {"url": "https://api.mistral.ai/v1", "max_bytes": 500 * 10**6, "max_s": 3600.0},
    # It gives a provider 60 s for a request, which is no limit of the sound: openrouter-api.md 2.4.
    "openrouter": {"url": "https://openrouter.ai/api/v1"},
    "vllm": {},
    "compatible": {},
}
"""What is known of a kind, where it differs from the defaults of `Upstream`."""

_OWN_NETWORK = ("local", "lan", "internal", "home.arpa", "localhost")
_SECRET_IN_NAME = re.compile(r"(?=.*[a-z])(?=.*[0-9]).{20,}")
"""A name of a variable has no small letters and digits in such a length; a key of Groq has."""


def _key_source(value: str) -> str:
    kind, _, rest = value.partition(":")
    if not re.fullmatch(KEY_PATTERN, value) or (kind == "env" and _SECRET_IN_NAME.fullmatch(rest)):
        raise ValueError(
            "'keys' must name where each key is, as \"env:GROQ_API_KEY\" or "
            '"file:/run/secrets/groq". Another text is not shown, since it may be a key itself: '
            "put that into a variable or a file."
        )
    return value


def _key_list(value: Any) -> Any:
    """Refuse what is no list of texts without showing it: pydantic's message would."""
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(
            "'keys' must be a list of texts, as keys = [\"env:GROQ_API_KEY\"]. A key itself does "
            "not belong in the file."
        )
    return [_key_source(each) for each in value]


def _url(value: Any) -> str:
    """Return an address without a slash at its end. What may be a secret in it is not shown."""
    if not isinstance(value, str):
        raise ValueError("'url' must be a text in quotes.")  # noqa: TRY004 (as above)
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises for one that is none
    except ValueError:
        parts = urlsplit("")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(
            "'url' must not have a user, a password, a query or a fragment, which is not shown "
            "here. A key has its place in 'keys'."
        )
    if not re.fullmatch(URL_PATTERN, value) or not parts.hostname:
        raise ValueError(
            "'url' must be the address below which the routes are, as https://api.example.org/v1."
        )
    return value.rstrip("/")


def _name(value: str) -> str:
    if value == LOCAL or not re.fullmatch(NAME_PATTERN, value):
        raise ValueError(
            f"'name' must be 1 to 64 small letters, digits and '-', and not '{LOCAL}', which is "
            f"this installation."
        )
    return value


Seconds: TypeAlias = Annotated[float, Field(ge=1, le=DAY_S), NUMBER]
KeySources: TypeAlias = Annotated[
    list[str],
    BeforeValidator(_key_list),
    WithJsonSchema({"type": "array", "items": {"type": "string", "pattern": KEY_PATTERN}}),
]


class ProviderTable(Table):
    """A provider elsewhere. What it does not say has the default of its kind."""

    name: Annotated[str, AfterValidator(_name)] = Field(
        description="Its slug, as in a caller's `provider.order`: small letters, digits and `-`.",
        json_schema_extra={"pattern": NAME_PATTERN, "not": {"const": LOCAL}},
    )
    kind: UpstreamKind = Field(
        description="How it is spoken to: `openai`, `mistral`, `openrouter`, `vllm`, or "
        "`compatible`, any other server with OpenAI's routes."
    )
    url: Annotated[
        str | None,
        BeforeValidator(_url),
        WithJsonSchema({"type": "string", "pattern": URL_PATTERN}),
    ] = Field(
        default=None,
        description="The address below which its routes are, as `https://api.groq.com/openai/v1`. "
        "The kinds `openai`, `mistral` and `openrouter` have one.",
    )
    keys: KeySources = Field(
        default=[],
        description="Where its keys are, never they themselves: `env:GROQ_API_KEY`, a variable, or "
        "`file:/run/secrets/groq`. Several are used in turn.",
    )
    max_bytes: Annotated[int, Field(ge=2**16)] | None = Field(
        default=None,
        description="The most bytes of sound in a request: 26214400, of Mistral 500000000.",
    )
    max_s: Seconds | None = Field(
        default=None,
        description="The most seconds of sound in a request: 600, of OpenAI 1400, of Mistral 3600.",
    )
    formats: Annotated[list[SoundFormat], Field(min_length=1)] | None = Field(
        default=None,
        description="What sound may be sent as, the best first: `flac` and `wav`; also `ogg` "
        "(Opus) and `mp3`.",
    )
    concurrency: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="Windows in flight at once, of all callers: 4."
    )
    patience_s: Seconds | None = Field(default=None, description="How long an answer may take: 60.")
    data_collection: Literal["allow", "deny"] | None = Field(
        default=None,
        description="Whether it may keep what it is sent, by its terms: `allow`, since what is "
        "not known counts as that. Callers refuse it by `provider.data_collection`.",
    )
    zdr: bool | None = Field(
        default=None,
        description="Whether it keeps nothing at all, by its terms: false. Callers ask for it by "
        "`provider.zdr`.",
    )

    def upstream(self, url: str) -> Upstream:
        """Return the provider at this address, with the defaults of its kind."""
        said = {
            "max_bytes": self.max_bytes,
            "max_s": self.max_s,
            "formats": None if self.formats is None else tuple(dict.fromkeys(self.formats)),
            "concurrency": self.concurrency,
            "patience_s": self.patience_s,
            "collects_data": None if self.data_collection is None else self._collects,
            "zero_retention": self.zdr,
        }
        known = DEFAULTS[self.kind] | {key: each for key, each in said.items() if each is not None}
        if self.zdr and self.data_collection is None:
            known["collects_data"] = False  # nothing is kept, so nothing is collected
        return Upstream(**known | {"name": self.name, "kind": self.kind, "url": url,
                                   "keys": tuple(dict.fromkeys(self.keys))})  # fmt: skip

    @property
    def _collects(self) -> bool:
        return self.data_collection == "allow"


def read_upstreams(
    file: ConfigFile, settings: Collection[str], faults: list[SettingsError]
) -> tuple[Upstream, ...]:
    """Return the providers in the file that are right; add all faults.

    `settings` are the names of settings, as in `read_tables`.
    """
    found: list[Upstream] = []
    first: dict[str, str] = {}
    for index, table in read_tables(ProviderTable, "providers", file, settings, faults):
        place = file.place("providers", index)
        url = table.url or DEFAULTS[table.kind].get("url")
        wrong = list(_faults(table, index, file, url))
        other = first.setdefault(table.name, place)
        if other != place:
            wrong.append(
                SettingsError(
                    f"{file.place('providers', index, 'name')}: the provider at {other} is called "
                    f"'{table.name}', too. Change one of the names."
                )
            )
        faults += wrong
        if url and not wrong:
            found.append(table.upstream(url))
    return tuple(found)


def provider_names(file: ConfigFile) -> list[str]:
    """Return the names of all providers in the file, also of those that are wrong otherwise."""
    rows = file.table.get("providers", [])
    if not isinstance(rows, list):
        return []
    names = (row.get("name") for row in rows if isinstance(row, dict))
    return [name for name in names if isinstance(name, str)]


def unknown_provider(name: str, listed: Collection[str]) -> str:
    """Return the sentences for a provider that the file does not list."""
    near = nearest(name, listed)
    if near:
        return f"no [[providers]] is called '{name}'. Nearest: {', '.join(near)}."
    known = f"It lists {', '.join(listed)}." if listed else "It lists none."
    return f"no [[providers]] is called '{name}'. {known} Add its table."


def _faults(
    table: ProviderTable, index: int, file: ConfigFile, url: str | None
) -> Iterator[SettingsError]:
    """Yield what is wrong between the fields of a table."""
    if url is None:
        yield SettingsError(
            f"{file.place('providers', index)}: this [[providers]] has no 'url'. The kind "
            f"'{table.kind}' has none by itself: add it, as url = \"http://localhost:8001/v1\"."
        )
    elif table.keys and url.startswith("http:") and not _is_own_network(url):
        yield SettingsError(
            f"{file.place('providers', index, 'url')}: 'url' is http, so everybody on the way to "
            f"{urlsplit(url).hostname} could read the keys and the speech. Write https; http with "
            f"keys is for this machine and networks of your own."
        )
    if table.zdr and table.data_collection == "allow":
        yield SettingsError(
            f"{file.place('providers', index, 'zdr')}: a provider that keeps nothing cannot "
            f"collect data. Write data_collection = \"deny\", or leave 'zdr' out."
        )


def _is_own_network(url: str) -> bool:
    """Return whether a host is this machine, or no public one: by its number or by its name.

    A name without a dot is one of a container network or of a search domain.
    """
    host = (urlsplit(url).hostname or "").rstrip(".").lower()
    try:
        address = ip_address(host)
    except ValueError:
        short = "." not in host and not host.isdigit()  # which some systems take for a number
        return short or host.endswith(tuple(f".{each}" for each in _OWN_NETWORK))
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return not (mapped or address).is_global
