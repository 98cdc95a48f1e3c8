"""The checks of `voxgate doctor`: each returns what it found, and how to fix it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.cli.checks.hardware import check_gpu, check_machine, check_memory
from voxgate.cli.checks.models import check_model_names, check_models
from voxgate.cli.checks.providers import check_providers
from voxgate.cli.checks.software import check_engines, check_libraries, check_settings
from voxgate.cli.checks.storage import check_home, check_spool

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from voxgate.cli.checks.check import Check
    from voxgate.errors import SettingsError
    from voxgate.settings import Settings


def static_checks(settings: Settings, faults: Sequence[SettingsError] = ()) -> Iterator[Check]:
    """Yield all findings that need no engine or decoder. `faults` are those of the settings."""
    yield from check_libraries()
    yield from check_machine()
    yield check_memory(settings)
    yield check_spool(settings)
    yield check_home(settings)
    yield from check_engines()  # before the GPU, which needs torch to be imported
    yield check_gpu(settings)
    yield from check_models(settings)
    yield from check_providers(settings)
    yield from check_settings(settings, faults)
    yield from check_model_names(settings)
