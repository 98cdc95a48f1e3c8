"""The environment of decoders and engines: what they need of the settings, and no secret.

They read what strangers sent. So they are told of the settings by variables alone: the file of the
configuration, which may have secrets, is not theirs to read.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from voxgate.configuration.names import ENVIRONMENT_PREFIX, FILE_VARIABLE
from voxgate.offline import OFFLINE_VARIABLE

if TYPE_CHECKING:
    from voxgate.settings import Settings


def child_environment(settings: Settings) -> dict[str, str]:
    """Return this process's environment, with no variable of Voxgate but those a child needs.

    Nor has it the keys of providers elsewhere, whatever their variables are called. The settings
    may have other values than the environment: those that a program made itself have.
    """
    keys = {key.removeprefix("env:") for each in settings.endpoints.upstreams for key in each.keys}
    foreign = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(ENVIRONMENT_PREFIX) and name not in keys
    }
    return {
        **foreign,
        FILE_VARIABLE: os.devnull,  # an empty file, instead of the one in the home folder
        OFFLINE_VARIABLE: "1" if settings.offline else "0",
        "VOXGATE_HOME": str(settings.home.expanduser().absolute()),
        "VOXGATE_KERNELS": settings.kernels,
        "VOXGATE_LOG_FORMAT": settings.log_format,
        "VOXGATE_LOG_LEVEL": settings.log_level,
        "VOXGATE_THREADS": str(settings.threads),
    }
