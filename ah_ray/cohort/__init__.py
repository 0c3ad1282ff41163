"""What to score: the videos of a prefix or a manifest, who they are, and which are pending."""

from ah_ray.cohort.cohort import Cohort, open_cohort
from ah_ray.cohort.committed import committed_names
from ah_ray.cohort.identity import hash8, row_name, video_id_of
from ah_ray.cohort.listing import Ignored
from ah_ray.cohort.pending import Decision, Failures, Plan, State, decide, plan

__all__ = [
    "Cohort",
    "Decision",
    "Failures",
    "Ignored",
    "Plan",
    "State",
    "committed_names",
    "decide",
    "hash8",
    "open_cohort",
    "plan",
    "row_name",
    "video_id_of",
]
