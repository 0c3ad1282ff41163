"""Load all parts of libav and PyAV that decoding needs, while files can still be opened."""

from __future__ import annotations

import io
import socket
import tempfile
import threading
from fractions import Fraction

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from ah_ray.config import Limits, Windows
from ah_ray.media.caged.clip_maker import Plan, make_clips
from ah_ray.media.windows import Regular
from ah_ray.profile import Profile


def warm_up() -> None:
    """Decode a drawn recording of a second, picture and sound."""
    with tempfile.TemporaryFile() as file:
        file.write(_draw_recording())
        file.flush()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            reader = threading.Thread(target=_drain, args=(ours,))
            reader.start()
            profile = Profile(
                name="warm-up", user="<video><audio>", min_pixels=1024, max_pixels=4096,
                second_per_grid=1.0,
            )  # fmt: skip
            plan = Plan(profile=profile, cut=Regular(Windows()), limits=Limits())
            make_clips(file.fileno(), theirs.fileno(), plan)
            theirs.shutdown(socket.SHUT_WR)
            reader.join()


def _drain(connection: socket.socket) -> None:
    while connection.recv(1 << 16):
        pass


def _draw_recording() -> bytes:
    """Return a Matroska file of 25 pictures and a second of stereo."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        picture = container.add_stream("mpeg4", rate=25)
        picture.width, picture.height, picture.pix_fmt = 64, 64, "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=48_000, layout="stereo")
        for index in range(25):
            rgb = np.full((64, 64, 3), 8 * index, np.uint8)
            frame = VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(picture.encode(frame))
            silence = np.zeros((1, 2 * 1920), np.int16)
            block = AudioFrame.from_ndarray(silence, format="s16", layout="stereo")
            block.sample_rate, block.pts = 48_000, 1920 * index
            block.time_base = Fraction(1, 48_000)
            container.mux(sound.encode(block))
        container.mux(picture.encode(None))
        container.mux(sound.encode(None))
    return file.getvalue()
