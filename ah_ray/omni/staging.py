"""A pack on its way to the device: pixels, sound and layout, up to where the model begins.

On a GPU this happens on a stream of its own, from pinned memory, while the pack before is in the
model: uint8 frames travel (a quarter of float32), and become patches there; samples become mels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch

from ah_ray.omni import audio, vision
from ah_ray.omni.layout import PackLayout, Sounds


@dataclass(frozen=True, slots=True, eq=False)
class Staged:
    """A pack on its device. Keep it until its pass is over: its memory belongs to the stream that
    copied it, which would use it again."""

    layout: PackLayout  # its tensors on the device
    rows: torch.Tensor  # patches of all clips [N, 1536], in the model's dtype
    mels: list[torch.Tensor]  # of each of layout.sounds, as the audio tower's chunks
    copied: torch.cuda.Event | None  # when all of it is there; None: it is


class Stager:
    """Brings packs to one device; one thread at a time."""

    def __init__(self, device: torch.device, dtype: torch.dtype):
        self.device = device
        self._dtype = dtype
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def stage(
        self, frames: Sequence[np.ndarray], samples: Sequence[np.ndarray], layout: PackLayout
    ) -> Staged:
        """`frames` are n of [T, H, W, 3] uint8, `samples` n of [N] float32, as laid out."""
        if self._stream is None:
            return self._staged(frames, samples, layout, None)
        with torch.cuda.stream(self._stream):
            copied = torch.cuda.Event()
            staged = self._staged(frames, samples, layout, copied)
            copied.record(self._stream)
        return staged

    @torch.no_grad()  # not inference_mode: training reads these tensors under autograd
    def _staged(self, frames, samples, layout: PackLayout, copied) -> Staged:
        rows = [vision.patches(self._there(clip)).to(self._dtype) for clip in frames]
        mels = [
            torch.cat([audio.chunks(audio.log_mel(self._there(samples[i]))) for i in group.clips])
            for group in layout.sounds
        ]
        return Staged(self._layout_there(layout), torch.cat(rows), mels, copied)

    def _there(self, array: np.ndarray | torch.Tensor) -> torch.Tensor:
        """On the device; through pinned memory, since only from there a copy runs beside a pass."""
        if isinstance(array, torch.Tensor):
            tensor = array
        else:  # a copy where it may not be written to: torch warns otherwise
            tensor = torch.from_numpy(array if array.flags.writeable else array.copy())
        if self._stream is None:
            return tensor.to(self.device)
        return tensor.pin_memory().to(self.device, non_blocking=True)

    def _layout_there(self, value: Any) -> Any:
        """The same layout, with every tensor in it on the device."""
        if isinstance(value, torch.Tensor):
            return self._there(value)
        if isinstance(value, dict):
            return {name: self._layout_there(part) for name, part in value.items()}
        if isinstance(value, list):
            return [self._layout_there(part) for part in value]
        if isinstance(value, PackLayout | Sounds):
            parts = {f.name: self._layout_there(getattr(value, f.name)) for f in fields(value)}
            return replace(value, **parts)
        return value
