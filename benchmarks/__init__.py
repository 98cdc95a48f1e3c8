"""Measurements of speed, memory and accuracy. `make bench` prints one table.

`VOXGATE_KERNELS=avx2 python -m benchmarks.engine` measures this machine as one that has no more.
"""

from voxgate.hardware.level import hold_libraries

hold_libraries()
