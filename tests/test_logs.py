"""What a process writes to standard error: a line for each event, whatever is in it."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import logging, sys, threading, warnings
from dataclasses import replace
from voxgate.logs import log_to_standard_error
from voxgate.settings import Settings

settings = replace(Settings(), log_format=sys.argv[1], log_level=sys.argv[2])
log_to_standard_error(settings, engine=True)
log = logging.getLogger("voxgate.test")
log.debug("in detail")
log.warning("two\\nlines \\x1b[31m\\u2028 \\udc80 caf\\u00e9", extra={"path": "/a\\nb"})
logging.getLogger("library").info("chatter")
logging.getLogger("library").warning("of a library")
if sys.argv[1] == "json":
    warnings.warn("a warning")
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception("failed")
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()

    class Spoilt:
        def __del__(self):
            1 / 0

    Spoilt()
    raise SystemError("the end")
"""


def lines(*arguments: str) -> list[str]:
    program = [sys.executable, "-c", PROGRAM, *arguments]
    return (
        subprocess.run(program, capture_output=True, check=False).stderr.decode().split("\n")[:-1]
    )


def test_no_text_forges_a_plain_line() -> None:
    assert lines("text", "info") == [
        r"voxgate.test: two\nlines \x1b[31m\u2028 \udc80 café",
        "library: of a library",
    ]


def test_every_line_of_json_is_an_event() -> None:
    events = [json.loads(line) for line in lines("json", "info")]
    assert [event["level"] for event in events] == [
        *("warning", "warning", "warning"),
        *("error", "critical", "critical", "critical"),
    ]
    first, library, warned, failed, *uncaught = events
    assert first["event"] == "two\nlines \x1b[31m\u2028 \udc80 café"
    assert (first["path"], first["logger"]) == ("/a\nb", "voxgate.test")
    assert first["timestamp"].endswith("Z")
    assert library["event"] == "of a library"
    assert "a warning" in warned["event"]
    for event in (failed, *uncaught[:2]):
        assert "ZeroDivisionError" in event["exception"]
    assert "SystemError: the end" in uncaught[2]["exception"]


def test_the_level_is_that_of_voxgate_alone() -> None:
    assert lines("text", "debug")[0] == "voxgate.test: in detail"
    assert len(lines("text", "debug")) == 3
    assert lines("text", "error") == []
