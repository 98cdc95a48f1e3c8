"""`read_schema`: the JSON schema that --schema names, in a file or ready."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from voxgate.answers.ready_schemas import READY_SCHEMAS
from voxgate.answers.schema import checked_schema
from voxgate.errors import UsageError


def read_schema(named: str) -> str:
    """Return the text of a schema: of a file or, where there is none of that name, a ready one.

    Raises `UsageError` for a file that cannot be read, that is not JSON, with its line and column,
    and for a schema that no model can follow (`unsupported_schema`).
    """
    ready = READY_SCHEMAS.get(named)
    path = ready if ready is not None and not os.path.lexists(named) else Path(named)
    return checked_schema(_parsed(path, _text(path, named)), f"The schema in {path}")


def _text(path: Path, named: str) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not UTF-8. Save it as UTF-8.") from error
    except FileNotFoundError as error:
        raise UsageError(
            f"There is no schema {named!r}: neither a file nor a ready one. The ready ones are: "
            f"{', '.join(READY_SCHEMAS)}."
        ) from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read ({error.strerror}). Name another file.") from error


def _parsed(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        fault = error.msg[:1].lower() + error.msg[1:].removesuffix(" at")
        raise UsageError(
            f"{path}:{error.lineno}:{error.colno}: this is not JSON: {fault}. Correct the file."
        ) from error
    except (RecursionError, ValueError) as error:
        raise UsageError(f"{path} is nested too deeply, or has too long a number.") from error
