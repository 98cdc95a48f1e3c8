"""How a process logs: to standard error, as plain lines or as JSON lines.

Modules log by the standard library. A line is one event, whatever a caller wrote into it: control
characters are escaped. `extra` of a record are the fields of its JSON line.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voxgate.printable import printable
from voxgate.tracing import current_trace_id

if TYPE_CHECKING:
    from structlog.typing import EventDict

    from voxgate.settings import Settings

SERVER_FORMAT = "%(asctime)s %(levelname)s %(message)s"
ENGINE_FORMAT = "%(name)s: %(message)s"

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
"""The levels of `log_level`, by their names."""

log = logging.getLogger(__name__)


def log_to_standard_error(settings: Settings, *, engine: bool = False) -> None:
    """Log to standard error: Voxgate from `log_level` on, libraries from WARNING on.

    An engine says no more than WARNING unless `log_level` is `debug`. Of uvicorn only errors are
    logged: it warns of every client that does not send HTTP. In JSON, the interpreter's own
    messages are lines as well.
    """
    json_lines, level = settings.log_format == "json", LEVELS[settings.log_level]
    plain = PlainFormatter(ENGINE_FORMAT if engine else SERVER_FORMAT)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_json_formatter() if json_lines else plain)
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler])
    quiet = engine and level > logging.DEBUG
    logging.getLogger("voxgate").setLevel(max(level, logging.WARNING) if quiet else level)
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    if json_lines:
        logging.captureWarnings(capture=True)
        _log_uncaught_errors()


class PlainFormatter(logging.Formatter):
    """One line for a record, and its traceback below it."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 (the library's name)
        """Return the line with control characters escaped, line ends among them."""
        return printable(super().formatMessage(record))


def _json_formatter() -> logging.Formatter:
    import structlog  # noqa: PLC0415 (not needed for text)

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            _add_trace,
            structlog.processors.format_exc_info,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(),  # in ASCII: no line ends of any kind
        ],
    )


def _add_trace(_logger: Any, _method: str, event: EventDict) -> EventDict:
    if trace_id := current_trace_id():
        event["trace_id"] = trace_id
    return event


def _log_uncaught_errors() -> None:
    """Log what the interpreter would write to standard error itself."""

    def uncaught(hook: Any) -> None:
        error = hook.exc_value
        if error is not None:
            log.critical("uncaught", exc_info=(type(error), error, error.__traceback__))

    sys.excepthook = lambda kind, error, trace: log.critical(
        "uncaught", exc_info=(kind, error, trace)
    )
    sys.unraisablehook = uncaught
    threading.excepthook = uncaught


@dataclass(frozen=True, slots=True)
class ForeignLine:
    """A line of another process's standard error, which may be one of its JSON lines."""

    event: str
    level: int
    fields: dict[str, Any]

    @classmethod
    def parse(cls, line: str) -> ForeignLine:
        """Return the event of a JSON line of Voxgate; any other line is an event by itself."""
        try:
            fields = json.loads(line)
            event, level = str(fields.pop("event")), LEVELS.get(fields.pop("level"), logging.ERROR)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return cls(line, logging.INFO, {})
        wanted = {name: value for name, value in fields.items() if name in {"exception", "logger"}}
        return cls(event, level, wanted)
