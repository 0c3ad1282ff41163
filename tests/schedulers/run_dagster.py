"""Plays nights with Dagster: the job is the real one, a retry comes at once."""

from __future__ import annotations

import dagster_job
from nights import each_night, print_end

dagster_job.WAIT_S = 0
for _ in each_night():
    done = dagster_job.ah_ray_nightly.execute_in_process(raise_on_error=False)
    outputs = [event for event in done.events_for_node("night") if event.is_successful_output]
    name = "Failed" if not done.success else "Completed" if outputs else "Skipped"
    print_end(name, done.is_node_success("alert"))
