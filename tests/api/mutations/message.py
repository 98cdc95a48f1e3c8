"""Mutations of an HTTP message: the request line, the headers, the body's framing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

KEY = b"sk-vg-" + b"0" * 43
"""A placeholder for the server's key, of the same length."""

PATH = b"/api/v1/audio/transcriptions"

CONTENT_TYPES = (
    *(b"", b"application/json", b"APPLICATION/JSON; charset=UTF-8", b"application/problem+json"),
    *(b"application/json; charset=utf-16", b"application/json; charset=latin-1", b"text/plain"),
    *(
        b"application/x-www-form-urlencoded",
        b"multipart/form-data",
        b"multipart/form-data; boundary=",
    ),
    *(b"multipart/form-data; boundary=x", b"multipart/mixed; boundary=x", b"audio/wav", b"/", b";"),
    *(
        b"application/json, text/plain",
        b"a" * 5000,
        b"\xff\xfe",
        b'multipart/form-data; boundary="',
    ),
    *(b"multipart/form-data; boundary*0=a; boundary*1=b", b"json", b"application/json;;;=;charset"),
)
AUTHORIZATIONS = (
    *(b"", b"Bearer", b"Bearer ", b"bearer " + KEY, b"Basic " + KEY, KEY, b"Bearer  " + KEY + b" "),
    *(
        b"Bearer sk-vg-nobody",
        b"Bearer " + b"x" * 10_000,
        b"Bearer \xff\xfe",
        b"Bearer " + KEY + b"x",
    ),
    *(b"Bearer " + KEY + b", Bearer " + KEY, b"Bearer ' OR 1=1 --"),
)
LENGTHS = (
    b"-1",
    b"abc",
    b"1.5",
    b"0x10",
    b"+5",
    b"1e3",
    b"",
    b"9" * 18,
    b"9" * 30,
    b"5, 5",
    b"\xff",
)
NOTED = (b"User-Agent", b"HTTP-Referer", b"X-Title", b"X-OpenRouter-Title", b"X-Session-Id")
VALUES = (
    b"",
    b"\xff\xfe",
    "é😀".encode(),
    b"x" * 5000,
    b"a\tb",
    b"'\"<>",
    b"mistral-client-python/3",
)


@dataclass(frozen=True)
class Message:
    """A request; `headers` are in order, `body` is framed."""

    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    line: bytes = b"POST " + PATH + b" HTTP/1.1"

    @classmethod
    def of(cls, content_type: bytes, body: bytes, agent: bytes, query: bytes = b"") -> Message:
        headers = (
            (b"Host", b"127.0.0.1"),
            (b"Authorization", b"Bearer " + KEY),
            (b"Content-Type", content_type),
            (b"User-Agent", agent),
            (b"Content-Length", b"%d" % len(body)),
        )
        path = PATH + b"?" * bool(query) + query
        return cls(headers, body, b"POST " + path + b" HTTP/1.1")

    def raw_head(self) -> bytes:
        lines = [self.line, *(name + b": " + value for name, value in self.headers)]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def having(self, name: bytes, *values: bytes) -> Message:
        """With this header once for each value, and no more."""
        kept = [pair for pair in self.headers if pair[0].lower() != name.lower()]
        return replace(self, headers=(*kept, *((name, value) for value in values)))


def content_type(chance: random.Random, message: Message) -> Message:
    return message.having(b"Content-Type", chance.choice(CONTENT_TYPES))


def no_content_type(chance: random.Random, message: Message) -> Message:
    return message.having(b"Content-Type")


def length_too_small(chance: random.Random, message: Message) -> Message:
    """What is left of the body then follows as another request."""
    size = len(message.body)
    return message.having(
        b"Content-Length", b"%d" % chance.choice((0, size // 2, max(0, size - 1)))
    )


def length_too_large(chance: random.Random, message: Message) -> Message:
    more = chance.choice((1, 1000, 10**6, 10**12))
    return message.having(b"Content-Length", b"%d" % (len(message.body) + more))


def no_length(chance: random.Random, message: Message) -> Message:
    return message.having(b"Content-Length")


def odd_length(chance: random.Random, message: Message) -> Message:
    true = b"%d" % len(message.body)
    odd = chance.choice(LENGTHS)
    return message.having(b"Content-Length", *chance.choice(((odd,), (true, true), (true, odd))))


def chunked(chance: random.Random, message: Message) -> Message:
    """As it should be: in chunks of some size."""
    size = chance.choice((1000, 4096, 70_000))
    body = b"".join(
        b"%x\r\n" % len(part) + part + b"\r\n"
        for at in range(0, len(message.body), size)
        if (part := message.body[at : at + size])
    )
    framed = message.having(b"Content-Length").having(b"Transfer-Encoding", b"chunked")
    return replace(framed, body=body + b"0\r\n\r\n")


def badly_chunked(chance: random.Random, message: Message) -> Message:
    framed = chunked(chance, message)
    at = framed.body.find(b"\r\n")
    bodies = (
        b"zz" + framed.body,
        b"-" + framed.body,
        b"f" * 30 + framed.body,
        framed.body[:at] + b";a=b;c" + framed.body[at:],
        framed.body[: -len(b"0\r\n\r\n")],
        framed.body[:-2] + b"Trailer: x\r\n\r\n",
        framed.body[:-2] + b"no trailer\r\n\r\n",
        framed.body.replace(b"\r\n", b"\n"),
        message.body,
    )
    return replace(framed, body=chance.choice(bodies))


def both_framings(chance: random.Random, message: Message) -> Message:
    return chunked(chance, message).having(b"Content-Length", b"%d" % len(message.body))


def odd_coding(chance: random.Random, message: Message) -> Message:
    name = chance.choice((b"Transfer-Encoding", b"Content-Encoding"))
    return message.having(name, chance.choice((b"gzip", b"identity", b"chunked, gzip", b"br", b"")))


def authorization(chance: random.Random, message: Message) -> Message:
    values = [chance.choice(AUTHORIZATIONS) for _ in range(chance.choice((0, 1, 1, 1, 2)))]
    return message.having(b"Authorization", *values)


def noted(chance: random.Random, message: Message) -> Message:
    """What is written into the ledger."""
    return message.having(chance.choice(NOTED), chance.choice(VALUES))


def expect(chance: random.Random, message: Message) -> Message:
    return message.having(b"Expect", chance.choice((b"100-continue", b"200-ok")))


def connection(chance: random.Random, message: Message) -> Message:
    value = chance.choice(
        (b"close", b"keep-alive", b"upgrade", b"Upgrade, HTTP2-Settings", b"\xff")
    )
    upgrade = chance.choice(((), (b"websocket",), (b"h2c",)))
    return message.having(b"Connection", value).having(b"Upgrade", *upgrade)


def host(chance: random.Random, message: Message) -> Message:
    return message.having(
        b"Host", *chance.choice(((), (b"a", b"b"), (b"",), (b"[::",), (b"\xff",)))
    )


def other_line(chance: random.Random, message: Message) -> Message:
    lines = (
        b"POST " + PATH + b" HTTP/1.0",
        b"POST " + PATH + b" HTTP/2.0",
        b"POST " + PATH + b"?a=b&%zz HTTP/1.1",
        b"POST " + PATH + b"/ HTTP/1.1",
        b"POST /%2e%2e" + PATH + b"%00%ff HTTP/1.1",
        b"POST http://e.com" + PATH + b" HTTP/1.1",
        b"POST //e.com" + PATH + b" HTTP/1.1",
        b"PUT " + PATH + b" HTTP/1.1",
        b"post " + PATH + b" HTTP/1.1",
        b"POST " + PATH,
        b"POST  HTTP/1.1",
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
        b"POST " + PATH + b"x" * 9000 + b" HTTP/1.1",
    )
    return replace(message, line=chance.choice(lines))


def odd_headers(chance: random.Random, message: Message) -> Message:
    more = chance.choice(
        (
            ((b"X Y", b"z"),),
            ((b"", b"z"),),
            ((b"X\0", b"z"),),
            ((b"X", b"a\0b"),),
            ((b"X", b"a\r\n folded"),),
            ((b"no colon\r\nX", b"x"),),
            tuple((b"X-%d" % n, b"x") for n in range(500)),
            ((b"X", b"x" * 70_000),),
            ((b"Origin", b"https://evil.example"),),
            ((b"Origin", b"\xff[::"),),
            ((b"X-Forwarded-For", b"\xff, [::, 999.1"), (b"X-Forwarded-Proto", b"\xff")),
        )
    )
    return replace(message, headers=(*message.headers, *more))


MUTATIONS = (
    *(content_type, no_content_type, length_too_small, length_too_large, no_length, odd_length),
    *(chunked, badly_chunked, both_framings, odd_coding, authorization, noted, expect, connection),
    *(host, other_line, odd_headers),
)
