"""Multipart forms as OpenAI's and Mistral's clients write them, and mutations of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus

from tests.api.mutations.layers import place
from tests.api.mutations.options import ODD

if TYPE_CHECKING:
    import random

Headers = tuple[tuple[bytes, bytes], ...]

NAMES = (
    *(b"a[", b"a]", b"[]", b"", b"a[b]c", b"a[][b]", b"model[]", b"model[x]", b"file[]", b"file"),
    *(b"a" + b"[b]" * 9, b"a" * 3000, b"\xff\xfe", b"\0", b"provider[options][groq][prompt]"),
    *(b"provider[only][]", b"input_audio[data]", b"input_audio", b'a\\"b', b"a;b=c", b"model.x"),
)
FILE_NAMES = (
    *(b"", b".", b"..", b"../../etc/passwd", b"C:\\a\\b.wav", b"a.pcm", b"\xff.wav", b"\0.wav"),
    *(b"x" * 5000 + b".wav", b'a\\"b.wav', b"a;b.wav", "grün 😀.mp3".encode(), b"\xe2\x80\xae.wav"),
)
ENCODINGS = (b"base64", b"quoted-printable", b"7bit", b"8bit", b"BINARY", b"x-uuencode", b"\xff")
BOUNDARIES = (
    *(b"", b"-", b"b" * 70, b"b" * 71, b"b" * 300, b"b" * 5000, b"a b", b'"', b"\xff", b"a\\b"),
    *(b"--", b"a;b", b"a=b", b"'()+_,-./:=?", b"\r\n"),
)


@dataclass(frozen=True)
class Part:
    """The headers and the body of one part."""

    headers: Headers
    body: bytes

    @classmethod
    def of(cls, name: str | bytes, body: bytes, more: bytes = b"", *headers: bytes) -> Part:
        raw = name.encode("utf-8", "surrogatepass") if isinstance(name, str) else name
        disposition = b'form-data; name="' + raw + b'"' + more
        types = tuple((b"Content-Type", kind) for kind in headers)
        return cls(((b"Content-Disposition", disposition), *types), body)

    def raw(self, line: bytes) -> bytes:
        return b"".join(k + b": " + v + line for k, v in self.headers) + line + self.body


@dataclass(frozen=True)
class Form:
    """Parts between boundaries. `announced` is the boundary in the content type."""

    parts: tuple[Part, ...]
    boundary: bytes = b"----voxgate7MA4YWxkTrZu0gW"
    announced: bytes | None = None
    line: bytes = b"\r\n"
    before: bytes = b""
    end: bytes = b"--\r\n"
    spoilt: tuple[tuple[int, bytes], ...] = field(
        default=()
    )  # (place modulo size, bytes put there)

    @property
    def content_type(self) -> bytes:
        boundary = self.boundary if self.announced is None else self.announced
        return b"multipart/form-data; boundary=" + boundary

    def raw(self) -> bytes:
        mark = b"--" + self.boundary
        raw = self.before + b"".join(
            mark + self.line + p.raw(self.line) + self.line for p in self.parts
        )
        raw += mark + self.end
        for at, data in self.spoilt:
            raw = raw[: at % (len(raw) + 1)] + data + raw[at % (len(raw) + 1) + len(data) :]
        return raw


def openai(fields: dict[str, Any], name: str, sound: bytes) -> Form:
    """Lists as `name[]`, objects as `name[key]`, the file last."""
    texts = [Part.of(key, value) for pair in fields.items() for key, value in _bracketed(*pair)]
    return Form((*texts, _file(name, sound)))


def mistral(fields: dict[str, Any], name: str, sound: bytes) -> Form:
    """Lists as repeated names, objects as parts of JSON, the file among them."""
    parts = []
    for key, value in fields.items():
        if isinstance(value, dict):
            parts.append(Part.of(key, json.dumps(value).encode(), b"", b"application/json"))
        else:
            values = value if isinstance(value, list) else [value]
            parts += [Part.of(key, _text(item)) for item in values]
    return Form((*parts[:1], _file(name, sound), *parts[1:]))


def urlencoded(fields: dict[str, Any]) -> bytes:
    """A form without parts, and so without a recording."""
    pairs = [pair for item in fields.items() for pair in _bracketed(*item)]
    return "&".join(
        f"{quote_plus(key.encode('utf-8', 'surrogatepass'))}={quote_plus(value)}"
        for key, value in pairs
    ).encode()


def spoil(chance: random.Random, form: Form) -> Form:
    """Overwrite bytes anywhere."""
    marks = (b"\r", b"\n", b"\r\n--", b"--", b":", b"\0", b"\xff", chance.randbytes(3), b'"', b";")
    spots = tuple(
        (chance.randrange(2**30), chance.choice(marks)) for _ in range(chance.randint(1, 4))
    )
    return replace(form, spoilt=(*form.spoilt, *spots))


def other_boundary(chance: random.Random, form: Form) -> Form:
    boundary = chance.choice(BOUNDARIES)
    if chance.random() < 0.5:
        return replace(form, announced=boundary)
    return replace(form, boundary=boundary, announced=b'"' + boundary + b'"')


def other_lines(chance: random.Random, form: Form) -> Form:
    return replace(form, line=chance.choice((b"\n", b"\r", b"", b"\r\n\r\n", b" \r\n")))


def other_end(chance: random.Random, form: Form) -> Form:
    ends = (b"", b"-", b"--", b"\r\n", b"--\n", b"--rubbish", b"--\r\n" + b"x" * 3000, b"-x")
    return replace(form, end=chance.choice(ends))


def preamble(chance: random.Random, form: Form) -> Form:
    return replace(form, before=chance.choice((b"\r\n", b"\n", b"Hello\r\n", b"--", b"\0" * 500)))


def repeat(chance: random.Random, form: Form) -> Form:
    part = chance.choice(form.parts or (Part.of("a", b""),))
    counts = (1, 1, 2, 999, 1200) if len(part.body) < 100 else (1, 1, 9)
    return replace(form, parts=form.parts + (part,) * chance.choice(counts))


def drop(chance: random.Random, form: Form) -> Form:
    return replace(form, parts=tuple(chance.sample(form.parts, max(0, len(form.parts) - 1))))


def shuffle(chance: random.Random, form: Form) -> Form:
    return replace(form, parts=tuple(chance.sample(form.parts, len(form.parts))))


def odd_name(chance: random.Random, form: Form) -> Form:
    parts = [Part.of(chance.choice(NAMES), _text(chance.choice(ODD))) for _ in range(2)]
    return replace(form, parts=(*form.parts, *parts[: chance.randint(1, 2)]))


def odd_part(chance: random.Random, form: Form) -> Form:
    """Add invalid JSON, invalid text, or a file in another field."""
    value = chance.choice(
        (b"{", b"[" * 10_000, b"NaN", b"\xff\xfe", b'"\\ud800"', b"{}", b"x" * 300_000)
    )
    kinds = (
        b"application/json",
        b"text/plain; charset=utf-16",
        b"audio/wav",
        b"multipart/mixed",
        b"\xff",
    )
    name = chance.choice(("prompt", "file", "provider", "model", "keyterms"))
    more = chance.choice((b"", b'; filename="x.wav"'))
    return replace(form, parts=(*form.parts, Part.of(name, value, more, chance.choice(kinds))))


def odd_file_name(chance: random.Random, form: Form) -> Form:
    name = chance.choice(FILE_NAMES)
    given = chance.choice(
        (b'; filename="' + name + b'"', b"; filename*=UTF-8''" + name, b"; filename")
    )
    return _with_file(form, given)


def odd_headers(chance: random.Random, form: Form) -> Form:
    """Give one part headers that are too many, too long, unnamed, encoded or malformed."""
    part = chance.choice(form.parts or (Part.of("a", b""),))
    more: Headers = chance.choice(
        (
            ((b"Content-Transfer-Encoding", chance.choice(ENCODINGS)),),
            tuple((b"X-%d" % n, b"x") for n in range(40)),
            ((b"X-Long", b"x" * 9000),),
            ((b"", b""),),
            ((b"no colon\r\nX", b"x"),),
            ((b"X", b"folded\r\n more"),),
            ((b"Content-Disposition", b'attachment; name="b"'),),
        )
    )
    headers = chance.choice(((*part.headers, *more), more, ()))
    changed = Part(headers, part.body)
    return replace(form, parts=tuple(changed if p is part else p for p in form.parts))


def boundary_within(chance: random.Random, form: Form) -> Form:
    part = chance.choice(form.parts or (Part.of("a", b""),))
    at = place(chance, part.body)
    mark = (
        chance.choice((b"\r\n--", b"\n--", b"--"))
        + form.boundary
        + chance.choice((b"", b"--", b"\r\n"))
    )
    changed = Part(part.headers, part.body[:at] + mark + part.body[at:])
    return replace(form, parts=tuple(changed if p is part else p for p in form.parts))


MUTATIONS = (
    *(spoil, spoil, other_boundary, other_lines, other_end, preamble, repeat, drop, shuffle),
    *(odd_name, odd_part, odd_file_name, odd_headers, boundary_within),
)


def percent(chance: random.Random, text: bytes) -> bytes:
    at = place(chance, text)
    return (
        text[:at] + chance.choice((b"%", b"%zz", b"%ff%fe", b"%00", b"%u0041", b"\xff")) + text[at:]
    )


def separators(chance: random.Random, text: bytes) -> bytes:
    return text + chance.choice((b"&", b"&&", b"=", b"&=", b";a=b", b"&a", b"&a=1" * 1100, b"\r\n"))


def names(chance: random.Random, text: bytes) -> bytes:
    return text + b"&" + chance.choice(NAMES) + b"=1"


def much(chance: random.Random, text: bytes) -> bytes:
    return text + b"&prompt=" + b"x" * chance.choice((70_000, 263_000))


URLENCODED = (percent, separators, names, much)


def _file(name: str, sound: bytes) -> Part:
    return Part.of("file", sound, b'; filename="' + name.encode() + b'"', b"audio/x-wav")


def _with_file(form: Form, disposition: bytes) -> Form:
    """The form with another file name."""
    parts = [
        Part.of("file", p.body, disposition) if b'name="file"' in p.headers[0][1] else p
        for p in form.parts
        if p.headers
    ]
    return replace(form, parts=tuple(parts))


def _bracketed(name: str, value: Any) -> list[tuple[str, bytes]]:
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in _bracketed(f"{name}[{key}]", item)]
    if isinstance(value, list):
        return [pair for item in value for pair in _bracketed(f"{name}[]", item)]
    return [(name, _text(value))]


def _text(value: Any) -> bytes:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "surrogatepass")
