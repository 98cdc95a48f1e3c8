"""Voxgate's kernels for processors with AVX2 or ARM's dot products, for `voxgate.voxtral.kernels`.

Import torch first: its threads are found when this module is loaded. Without them, kernels run on
one thread.
"""

from voxgate_kernels._kernels import *  # noqa: F403
