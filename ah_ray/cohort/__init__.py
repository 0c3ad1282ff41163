"""What to score: the videos below a prefix or in a manifest, their ids, and which are pending."""

from ah_ray.cohort.cohort import Cohort, open_cohort
from ah_ray.cohort.committed_rows import committed_names
from ah_ray.cohort.identity import hash8, row_name, video_id_of
from ah_ray.cohort.listing import Ignored
from ah_ray.cohort.pending import Decision, Failures, Plan, State, decide_state, make_plan

__all__ = [
    "Cohort",
    "Decision",
    "Failures",
    "Ignored",
    "Plan",
    "State",
    "committed_names",
    "decide_state",
    "hash8",
    "make_plan",
    "open_cohort",
    "row_name",
    "video_id_of",
]
