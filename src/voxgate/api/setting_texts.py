"""How settings are shown to the owner, by the command line and by pages: without what is secret."""

# ruff: noqa: PLC0415 (help needs no settings)
from __future__ import annotations

import ast
import inspect

from voxgate.upstreams import EndpointList

HIDDEN = "(set)"
"""What is shown of a secret."""

SECRET = frozenset({"oidc_client_secret", "page_secret", "transcript_key"})


def setting_text(name: str, value: object) -> str:
    """Return a value as it is written in an environment variable, without what is secret."""
    if name == "database_url" and value:
        return database_text(str(value))
    if name in SECRET and value:
        return HIDDEN
    if isinstance(value, EndpointList):
        value = tuple(f"{each.model} at {each.upstream.name}" for each in value.entries)
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return ", ".join(" = ".join(each) if isinstance(each, tuple) else each for each in value)
    return str(value)


def setting_descriptions() -> dict[str, str]:
    """Return the string that follows each field in the source of `Settings`."""
    from voxgate.settings import Settings

    module = ast.parse(inspect.getsource(Settings))
    nodes = [node for each in module.body if isinstance(each, ast.ClassDef) for node in each.body]
    texts: dict[str, str] = {}
    field = None
    for node in nodes:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            field = node.target.id
        elif field and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            texts[field] = " ".join(str(node.value.value).split())
        else:
            field = None
    return texts


def database_text(url: str) -> str:
    """Return the address of a database without its password."""
    from voxgate.errors import SettingsError
    from voxgate.ledger.address import Address

    try:
        return str(Address.of_server(url))
    except SettingsError:  # where in it the password is cannot be known
        return HIDDEN
