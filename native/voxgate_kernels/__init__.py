"""Voxgate's kernels for processors with AVX-512 VNNI and BF16; `voxgate.voxtral.native` calls them.

Import torch first: its threads are found when this is loaded, and without them one thread works.
"""

from voxgate_kernels._kernels import *  # noqa: F403
