"""Voxgate's kernels for processors with AVX2 or ARM's dot products, for `voxgate.voxtral.kernels`.

They run on one thread until `use_threads` is given the address of `GOMP_parallel`.
"""

from voxgate_kernels._kernels import *  # noqa: F403
