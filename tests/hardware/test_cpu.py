"""The processor's features, by Linux's names."""

import sys

import pytest

from voxgate.hardware.cpu import apple_flags, cpu_flags

M1 = {"AdvSIMD", "FEAT_DotProd", "FEAT_FP16", "FEAT_LSE"}


def test_this_machine_lists_them() -> None:
    assert cpu_flags() & {"sse2", "asimd"} or sys.platform not in {"linux", "darwin"}


@pytest.mark.parametrize(
    ("features", "flags"),
    [
        (M1, {"asimd", "asimddp", "fphp", "asimdhp"}),
        (M1 | {"FEAT_BF16", "FEAT_I8MM"}, {"asimd", "asimddp", "fphp", "asimdhp", "bf16", "i8mm"}),
        (set(), set()),  # Intel's
    ],
    ids=["M1", "M2", "x86"],
)
def test_a_macs_features_have_linuxs_names(features: set[str], flags: set[str]) -> None:
    assert apple_flags(features.__contains__) == flags
