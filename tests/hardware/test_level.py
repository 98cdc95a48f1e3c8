"""The levels of instructions that processors have, and a forced one."""

from pathlib import Path

import pytest

from tests.hardware import processors
from tests.hardware.processors import processor
from voxgate.configuration.values import CHOICES
from voxgate.errors import SettingsError
from voxgate.hardware import native_kernels
from voxgate.hardware.level import (
    BEST,
    LEVELS,
    OFF,
    available_levels,
    check_level,
    usable_flags,
)
from voxgate.voxtral.kernels import ops

X86 = ["avx2", "avxvnni", "avx512vnni", "avx512bf16"]


def test_the_setting_has_their_names() -> None:
    assert list(CHOICES["kernels"]) == [BEST, OFF, *LEVELS]


@pytest.mark.parametrize(
    ("flags", "levels"),
    [
        ("fpu sse4_2 avx", []),
        (processors.HASWELL, ["avx2"]),
        (processors.ALDER_LAKE, ["avx2", "avxvnni"]),
        (processors.CASCADE_LAKE, ["avx2", "avx512vnni"]),
        (processors.ZEN_4, ["avx2", "avx512vnni", "avx512bf16"]),
        (processors.SAPPHIRE_RAPIDS, X86),
        (processors.CORTEX_A72, []),
        (processors.GRAVITON_2, ["neon"]),
        ("", []),
    ],
)
def test_a_processor_has_every_level_up_to_its_own(
    flags: str, levels: list[str], tmp_path: Path
) -> None:
    with processor(flags, tmp_path):
        assert available_levels() == levels


def test_a_forced_level_hides_all_better_flags(tmp_path: Path) -> None:
    for level in X86:
        with processor(processors.SAPPHIRE_RAPIDS, tmp_path, level):
            assert usable_flags() == LEVELS[level].flags
    with processor(processors.SAPPHIRE_RAPIDS, tmp_path, OFF):  # PyTorch alone, with all it has
        assert "amx_bf16" in usable_flags()
    with processor(processors.GRAVITON_3, tmp_path, "neon"):  # there is no other
        assert "bf16" in usable_flags()


@pytest.mark.parametrize(
    ("flags", "kernels", "others"),
    [
        (processors.CASCADE_LAKE, "avx512bf16", "Use 'avx2', 'avx512vnni' or 'off'"),
        (processors.CASCADE_LAKE, "neon", "Use 'avx2', 'avx512vnni' or 'off'"),
        (processors.CORTEX_A72, "neon", "Use 'off'"),
    ],
)
def test_a_level_that_the_processor_lacks_is_refused(
    flags: str, kernels: str, others: str, tmp_path: Path
) -> None:
    with processor(flags, tmp_path), pytest.raises(SettingsError, match=f"'{kernels}'.*{others}"):
        check_level(kernels)


def test_what_a_processor_has_or_may_have_is_not_refused(tmp_path: Path) -> None:
    with processor(processors.CASCADE_LAKE, tmp_path):
        for kernels in ("", "off", "avx2", "avx512vnni"):
            check_level(kernels)
    with processor("", tmp_path / "unknown"):
        check_level("avx512bf16")


def test_the_kernels_have_the_levels_that_the_flags_say() -> None:
    """Two lists of them, since who reads the settings loads no kernels."""
    assert native_kernels.levels() == available_levels() or ops.why_unavailable()
