"""What a child does with its recording: the plan that it was sent, made into objects again."""

from __future__ import annotations

from typing import Any

from ah_ray.config import Limits
from ah_ray.media.caged.clip_maker import Plan, describe_recording, make_clips
from ah_ray.media.caged.timing.packet_rows import send_packets
from ah_ray.media.cut_message import read_cut
from ah_ray.profile import Profile


def do_work(recording: int, connection: int, plan: dict[str, Any]) -> None:
    """Decode a recording, or describe it, as the plan says."""
    limits = Limits(**plan["limits"])
    if plan["what"] == "describe":
        describe_recording(recording, connection, limits)
        return
    if plan["what"] == "packets":
        send_packets(recording, connection, limits)
        return
    profile = Profile(**plan["profile"])
    make_clips(
        recording, connection, Plan(profile=profile, cut=read_cut(plan["windows"]), limits=limits)
    )
