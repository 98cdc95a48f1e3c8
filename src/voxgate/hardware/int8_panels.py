"""The layout of 8-bit matrices that the native kernels read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

INT8_PANEL = 64  # outputs that are stored together; inputs are a multiple of it too


def int8_panels(rows: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return the packed bytes of rows [outputs, inputs]: the layout that `int8_product` reads.

    Panels of 64 outputs, [outputs / 64, inputs / 4, 64 outputs, 4 inputs], padded with zeros, and
    after them an int32 for each output: minus the sum of its weights. `inputs` is a multiple of 64.
    """
    outputs, inputs = rows.shape
    padded = np.pad(rows, ((0, -outputs % INT8_PANEL), (0, 0)))
    quads = padded.view(np.int32).reshape(-1, INT8_PANEL, inputs // 4).swapaxes(1, 2)
    sums = -padded.sum(1, dtype=np.int32)
    return np.concatenate((quads.ravel().view(np.uint8), sums.view(np.uint8)))
