"""The sizes in which a frame is scaled and shown to the model, and the filters that scale it.

Source: `smart_resize` of the reference (qwen_omni_utils 0.0.9), with factor 32; with factor 28 and
then 32 where the profile has a `first_resize`, as ms-swift up to 4.0.1 sized.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

from ah_ray.errors import ErrorKind, VideoError
from ah_ray.profile import Profile, ScaleIn

FACTOR = 32
"""Pixels: a patch of 16, merged two by two."""

Size = tuple[int, int]
"""(width, height) in pixels."""

_MAX_RATIO = 200
_SAME_IN_PLANES = ("yuv420p", "yuvj420p")
"""Formats that libswscale converts to planes of RGB as it converts them to packed RGB, to the last
bit, where the width is a multiple of 16: one step less then."""

_BICUBIC = "param0=0:param1=0.5"
"""Of swscale: the reference's bicubic (a = −0.5); swscale widens it when it shrinks a picture."""


def shown_size(width_px: int, height_px: int, profile: Profile) -> Size:
    """Return the (width, height) in which the model sees a picture of this size.

    Both are multiples of 32. Raise VideoError (`refused`) for a picture more than 200 times as
    long as it is wide.
    """
    return _sizes(width_px, height_px, profile)[-1]


def scaling_stages(
    width_px: int, height_px: int, profile: Profile, *, stored_px: Size | None = None
) -> list[Size]:
    """Return the sizes (width, height) through which a picture is scaled, in order.

    The last one is `shown_size`. A stage that would change nothing is left out, so the list is
    empty for a picture that is shown in its own size. `stored_px` is the size in which the picture
    was decoded, if that is another than the one that counts (oblong pixels). Raise VideoError as
    `shown_size` does.
    """
    stages: list[Size] = []
    before = stored_px or (width_px, height_px)
    for size in _sizes(width_px, height_px, profile):
        if size != before:
            stages.append(size)
        before = size
    return stages


def scaling_filters(
    width_px: int,
    height_px: int,
    stages: Sequence[Size],
    scale_in: ScaleIn,
    pixel_format: str = "",
) -> list[tuple[str, str]]:
    """Return the filters of libav (name, arguments) from a decoded picture to RGB as shown.

    The picture was decoded in `width_px` and `height_px` and passes through the `stages`. In RGB it
    is converted first, at its own size and by libswscale's own fast converter, which is what the
    reference's frame readers use; then it is scaled in planes (`gbrp`), which costs half of scaling
    packed RGB and differs from the reference's float32 arithmetic by at most 1 grey level a stage.
    In YUV it is scaled as it was decoded. Scaled pictures come out in planes: packing three of them
    costs less than letting libswscale write RGB, and is equal to the last bit.
    """
    if not stages or scale_in is ScaleIn.RGB:
        converted = ("scale", f"{width_px}:{height_px}:flags=bicubic")
        if stages and pixel_format in _SAME_IN_PLANES and width_px % 16 == 0:
            filters = [converted, ("format", "gbrp")]
        else:
            filters = [converted, ("format", "rgb24")]
            filters += [("scale", ""), ("format", "gbrp")] if stages else []
        for width, height in stages:
            filters += [("scale", f"{width}:{height}:flags=bicubic:{_BICUBIC}"), ("format", "gbrp")]
        return filters
    flags = f"flags=bicubic+full_chroma_int:{_BICUBIC}"
    return [
        *(("scale", f"{width}:{height}:{flags}") for width, height in stages),
        ("format", "gbrp"),
    ]


@lru_cache(maxsize=64)
def most_pixels(profile: Profile) -> int:
    """Return the most pixels of a frame of a large picture, as the model sees it."""
    first = profile.first_resize
    if first is None:
        return profile.max_pixels
    most = 0
    for height in range(first.factor, math.isqrt(first.max_pixels) + 1, first.factor):
        widest = min(first.max_pixels // height, height * _MAX_RATIO) // first.factor
        for n in range(max(1, widest - 8), widest + 1):  # rounding to 32 px repeats after 8 steps
            shown = fit_size(n * first.factor, height, FACTOR, *_limits(profile))
            most = max(most, shown[0] * shown[1])
    return most


def largest_size(profile: Profile) -> int:
    """Return a bound on the pixels of a frame that holds for strips and other odd sizes too."""
    return 4 * max(profile.min_pixels, profile.max_pixels, FACTOR * FACTOR * _MAX_RATIO)


def square_size(profile: Profile) -> Size:
    """Return the (width, height) in which a large square picture is shown."""
    side_px = 2 * math.isqrt(profile.pixel_limit) + FACTOR
    return shown_size(side_px, side_px, profile)


def fit_size(width_px: int, height_px: int, factor: int, min_pixels: int, max_pixels: int) -> Size:
    """Return (width, height) in multiples of `factor`, within the limits, nearly in ratio.

    The reference's `smart_resize`.
    """
    width = max(factor, round(width_px / factor) * factor)
    height = max(factor, round(height_px / factor) * factor)
    if width * height > max_pixels:
        shrink = math.sqrt(width_px * height_px / max_pixels)
        width = max(factor, math.floor(width_px / shrink / factor) * factor)
        height = max(factor, math.floor(height_px / shrink / factor) * factor)
    elif width * height < min_pixels:
        grow = math.sqrt(min_pixels / (width_px * height_px))
        width = math.ceil(width_px * grow / factor) * factor
        height = math.ceil(height_px * grow / factor) * factor
    return width, height


def _sizes(width_px: int, height_px: int, profile: Profile) -> list[Size]:
    """Return the size after each stage, the unchanged ones included."""
    _check_ratio(width_px, height_px)
    sizes: list[Size] = []
    first = profile.first_resize
    if first is not None:
        sizes.append(
            fit_size(width_px, height_px, first.factor, first.min_pixels, first.max_pixels)
        )
        width_px, height_px = sizes[0]
    return [*sizes, fit_size(width_px, height_px, FACTOR, *_limits(profile))]


def _limits(profile: Profile) -> tuple[int, int]:
    return profile.min_pixels, profile.max_pixels


def _check_ratio(width_px: int, height_px: int) -> None:
    if max(width_px, height_px) > _MAX_RATIO * min(width_px, height_px):
        raise VideoError(
            ErrorKind.REFUSED,
            f"the picture of {width_px}×{height_px} px is a strip: more than {_MAX_RATIO} times "
            "as long as it is wide",
        )
