"""The lowest real-time factor follows from a model's shape and the machine's limits."""

from pathlib import Path

import pytest

from voxgate.benchmarking import synthetic
from voxgate.benchmarking.roofline import Roofline, roofline_rtf
from voxgate.voxtral.quantization.profiles import Profile


@pytest.mark.parametrize(
    ("profile", "seconds"), [("exact", 24.0), ("balanced", 12.0), ("fast", 8.9)]
)
def test_the_limit_is_the_time_of_products_and_reading(
    tmp_path: Path, profile: Profile, seconds: float
) -> None:
    """Mini, computed by hand from its shape; at a tenth of the speed, ten times as long."""
    config = synthetic.synthetic_config(tmp_path / "mini", "mini")
    fast = Roofline(read_bytes_per_s=40e9, wide_ops_per_s=800e9, int8_ops_per_s=1600e9)
    slow = Roofline(read_bytes_per_s=4e9, wide_ops_per_s=80e9, int8_ops_per_s=160e9)
    assert 30 * roofline_rtf(config, profile, fast) == pytest.approx(seconds, rel=0.05)
    ratio = roofline_rtf(config, profile, slow) / roofline_rtf(config, profile, fast)
    assert ratio == pytest.approx(10.0)
