"""`Recorder`: CUDA graphs of computations on static shapes, recorded once and replayed."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from torch import Tensor

WARM_UPS = 2
"""Eager runs before a recording: libraries take their workspaces and choose their kernels."""


class Recording(NamedTuple):
    """A graph, and the tensor that each replay writes its result to."""

    graph: torch.cuda.CUDAGraph
    result: Tensor


class Recorder:
    """The graphs of one card, in memory that they share: one is replayed after another, never two.

    What a computation reads lies in tensors that stay where they are. Its result is to be read
    before the next replay of any.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        with torch.cuda.device(device):
            self._pool = torch.cuda.graph_pool_handle()
            self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._recordings: dict[Hashable, Recording] = {}

    def replayed(self, name: Hashable, compute: Callable[[], Tensor]) -> Tensor:
        """The result of a computation, which is recorded when its name is first met.

        It is then taken in earnest several times, so it must not matter how often that is.
        """
        with torch.cuda.device(self._device):
            if name not in self._recordings:
                self._recordings[name] = self._recorded(compute)
            recording = self._recordings[name]
            recording.graph.replay()
        return recording.result

    def _recorded(self, compute: Callable[[], Tensor]) -> Recording:
        graph, here = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):
            for _ in range(WARM_UPS):
                compute()
        here.wait_stream(self._stream)
        # thread_local: what other threads do with the card meanwhile is no fault of the recording.
        with torch.cuda.graph(graph, self._pool, self._stream, "thread_local"):
            result = compute()
        return Recording(graph, result)
