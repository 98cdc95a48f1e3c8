"""The floor follows from a model's shape, the machine's peaks and the number of windows."""

from dataclasses import asdict, replace

import pytest

from voxgate.benchmarking import synthetic
from voxgate.benchmarking.floor import floor_rtf
from voxgate.benchmarking.roofline import Roofline
from voxgate.voxtral.checkpoint.config import VoxtralConfig
from voxgate.voxtral.quantization.profiles import PROFILES, Profile

MACHINE = Roofline(read_bytes_per_s=40e9, wide_ops_per_s=800e9, int8_ops_per_s=1600e9)


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> VoxtralConfig:
    return synthetic.synthetic_config(tmp_path_factory.mktemp("mini"), "mini")


@pytest.mark.parametrize(
    ("profile", "one_s", "eight_s"),
    [("exact", 24.0, 65.5), ("balanced", 12.2, 34.6), ("fast", 8.7, 31.1)],
)
def test_the_floor_is_the_time_of_products_and_reading(
    mini: VoxtralConfig, profile: Profile, one_s: float, eight_s: float
) -> None:
    """Mini, computed by hand from its shape; at a tenth of the speed, ten times as long."""
    assert 30 * floor_rtf(mini, profile, MACHINE) == pytest.approx(one_s, rel=0.01)
    assert 240 * floor_rtf(mini, profile, MACHINE, 8) == pytest.approx(eight_s, rel=0.01)
    slow = Roofline(read_bytes_per_s=4e9, wide_ops_per_s=80e9, int8_ops_per_s=160e9)
    ratio = floor_rtf(mini, profile, slow) / floor_rtf(mini, profile, MACHINE)
    assert ratio == pytest.approx(10.0)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("windows", [1, 8, 64])
@pytest.mark.parametrize("limit", ["read_bytes_per_s", "wide_ops_per_s", "int8_ops_per_s"])
def test_a_better_peak_never_raises_a_floor(
    mini: VoxtralConfig, profile: Profile, windows: int, limit: str
) -> None:
    better = replace(MACHINE, **{limit: 3 * asdict(MACHINE)[limit]})
    before = floor_rtf(mini, profile, MACHINE, windows)
    assert floor_rtf(mini, profile, better, windows) <= before
    everything = Roofline(*(3 * value for value in asdict(MACHINE).values()))
    assert floor_rtf(mini, profile, everything, windows) == pytest.approx(before / 3)


@pytest.mark.parametrize("profile", PROFILES)
def test_windows_share_the_reading_and_not_the_products(
    mini: VoxtralConfig, profile: Profile
) -> None:
    """Eight take longer than one and at most eight times as long: products alone, exactly that."""
    one = 30 * floor_rtf(mini, profile, MACHINE)
    eight = 240 * floor_rtf(mini, profile, MACHINE, 8)
    assert one < eight < 8 * one
    endless = replace(MACHINE, read_bytes_per_s=1e18)
    assert floor_rtf(mini, profile, endless, 8) == pytest.approx(floor_rtf(mini, profile, endless))


def test_of_two_measurements_the_better_counts() -> None:
    other = Roofline(read_bytes_per_s=50e9, wide_ops_per_s=700e9, int8_ops_per_s=1600e9)
    expected = Roofline(read_bytes_per_s=50e9, wide_ops_per_s=800e9, int8_ops_per_s=1600e9)
    assert MACHINE.or_better(other) == other.or_better(MACHINE) == expected
