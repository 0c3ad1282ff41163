"""One decoded picture as a JPEG, for a page that shows it."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.codec.context import Flags

_QUALITY = "6"  # of libav's 2 (best) to 31


def encode_jpeg(frame: np.ndarray) -> bytes:
    """Return `[H, W, 3] uint8` RGB, H and W even, as a JPEG that holds the pixels and nothing else.

    The pixels are our own, so libav encodes them in this process.
    """
    height_px, width_px, _ = frame.shape
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width_px, height_px, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.thread_count = 1
    encoder.flags |= Flags.bitexact
    encoder.options = {"qmin": _QUALITY, "qmax": _QUALITY}
    pixels = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
    packets = [
        *encoder.encode(pixels.reformat(format="yuvj420p", interpolation="BICUBIC")),
        *encoder.encode(None),
    ]
    return b"".join(map(bytes, packets))
