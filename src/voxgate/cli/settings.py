"""The settings of a command, and what is wrong with them."""

# ruff: noqa: PLC0415 (help needs no settings)
from __future__ import annotations

import os
from typing import TYPE_CHECKING

from voxgate.cli.streams import print_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from voxgate.configuration.file import ConfigFile
    from voxgate.errors import SettingsError
    from voxgate.ledger.key_tables import KeyList, ListedKey
    from voxgate.settings import Settings


def apply_settings() -> Settings:
    """Return the settings; with `offline`, block the network in this process and its children.

    Prints all faults but the last, and raises that as `SettingsError`.
    """
    from voxgate.configuration.file import ConfigFile

    settings, faults = _examine_here(ConfigFile.find(os.environ))
    raise_last(faults)
    return _applied(settings)


def apply_settings_and_keys() -> tuple[Settings, KeyList]:
    """Return the settings, as `apply_settings` does, and the keys in the file."""
    from voxgate.configuration.file import ConfigFile
    from voxgate.ledger.key_tables import KeyList

    file = ConfigFile.find(os.environ)
    settings, keys, faults = examine_file(file)
    raise_last(faults)
    return _applied(settings), KeyList(file, tuple(keys))


def apply_usable_settings() -> tuple[Settings, list[SettingsError]]:
    """Apply the settings that can be used; return them, and what is wrong in the configuration."""
    from voxgate.configuration.file import ConfigFile

    settings, _, faults = examine_file(ConfigFile.find(os.environ))
    return _applied(settings), faults


def examine_file(
    file: ConfigFile, *, environment: bool = True
) -> tuple[Settings, Sequence[ListedKey], list[SettingsError]]:
    """Return what can be used of a file and, if wanted, of the environment, and all faults."""
    from voxgate.settings import Settings

    environ = os.environ if environment else {}
    settings, faults = _examine_here(file) if environment else Settings.examine(environ, file)
    if settings.database_url:
        place = Settings.given(environ, file).origins["database_url"]
        faults += _no_database(settings.database_url, place, here=environment)
    if "keys" not in file.table:
        return settings, (), file.in_order(faults)
    from voxgate.ledger.key_tables import KeyList

    listed, faults_of_keys = KeyList.read(file)
    faults += faults_of_keys
    if environment:  # else the secret may be there
        faults += _without_secret(settings, listed)
    return settings, listed.keys, file.in_order(faults)


def _examine_here(file: ConfigFile) -> tuple[Settings, list[SettingsError]]:
    """Return what this process can use of a file and of the environment, and all other faults.

    A level of instructions that this processor lacks is one of them.
    """
    from dataclasses import replace

    from voxgate.errors import SettingsError
    from voxgate.hardware.level import BEST, check_level
    from voxgate.settings import Settings

    settings, faults = Settings.examine(os.environ, file)
    try:
        check_level(settings.kernels)
    except SettingsError as error:
        place = Settings.given(os.environ, file).origins["kernels"]
        fault = SettingsError(f"{place}: {error.sentence}")
        return replace(settings, kernels=BEST), [*faults, fault]
    return settings, faults


def _no_database(url: str, place: str, *, here: bool) -> Iterator[SettingsError]:
    """Yield why no ledger can be at an address: `here`, also because its driver is missing."""
    from voxgate.errors import SettingsError
    from voxgate.ledger.address import Address, server_url

    try:
        _ = Address.of_server(url) if here else server_url(url)
    except SettingsError as error:
        yield SettingsError(f"{place}: {error.sentence}")


def _without_secret(settings: Settings, listed: KeyList) -> list[SettingsError]:
    """Return a fault for each key whose transcripts could not be kept."""
    from voxgate.errors import SettingsError, UsageError
    from voxgate.ledger.transcript_cipher import check_secret

    faults = list[SettingsError]()
    for each in listed.keys:
        try:
            check_secret(each.table.keep_transcripts_days, settings.transcript_key)
        except UsageError as error:
            place = listed.file.place("keys", each.index, "keep_transcripts_days")
            faults.append(SettingsError(f"{place}: {error.sentence}"))
    return faults


def raise_last(faults: Sequence[SettingsError]) -> None:
    """Print all faults but the last, and raise that, if there are any."""
    for fault in faults[:-1]:
        print_error(fault)
    for fault in faults[-1:]:
        raise fault


def _applied(settings: Settings) -> Settings:
    from voxgate import offline
    from voxgate.hardware.process import configure_process

    configure_process(settings)
    if settings.offline:
        offline.enforce()
    return settings
