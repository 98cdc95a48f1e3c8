"""How the table of processors calls them, by what Linux lists of each."""

import pytest
from benchmarks.processor_row import processor_name

X86 = (
    "processor\t: 0\nvendor_id\t: {}\ncpu family\t: {}\nmodel\t\t: {}\n"
    "model name\t: CPU\nstepping\t: {}\n\n"
)


@pytest.mark.parametrize(
    ("vendor", "family", "model", "stepping", "name"),
    [
        ("AuthenticAMD", 23, 0x31, 0, "Zen 2 (CPU)"),
        ("AuthenticAMD", 25, 0x01, 1, "Zen 3 (CPU)"),
        ("AuthenticAMD", 25, 0x11, 1, "Zen 4 (CPU)"),
        ("AuthenticAMD", 26, 0x02, 1, "Zen 5 (CPU)"),
        ("AuthenticAMD", 99, 0x02, 1, "CPU"),
        ("GenuineIntel", 6, 85, 7, "Cascade Lake (CPU)"),
        ("GenuineIntel", 6, 85, 4, "CPU"),
        ("GenuineIntel", 6, 143, 8, "Sapphire Rapids (CPU)"),
        ("GenuineIntel", 15, 143, 8, "CPU"),
    ],
)
def test_an_x86_processor_is_called_by_its_architecture(
    vendor: str, family: int, model: int, stepping: int, name: str
) -> None:
    listed = X86.format(vendor, family, model, stepping)
    assert processor_name(listed + X86.format("another", 1, 1, 1)) == name


def test_an_arm_processor_is_called_by_its_core() -> None:
    assert processor_name("processor\t: 0\nCPU part\t: 0xd40\n") == "Neoverse V1"
    assert processor_name("processor\t: 0\nCPU part\t: 0xfff\n") == "ARM, part 0xfff"
