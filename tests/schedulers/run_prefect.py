"""Plays nights with Prefect: flow and tasks are the real ones, a retry comes at once."""

from __future__ import annotations

import prefect_flow
from nights import each_night, print_end

alerts: list[str] = []
prefect_flow.night = prefect_flow.night.with_options(retry_delay_seconds=0)
prefect_flow.alert = prefect_flow.alert.with_options(
    on_completion=[lambda _task, run, _state: alerts.append(run.name)]
)
for _ in each_night():
    alerts.clear()
    state = prefect_flow.ah_ray_nightly(return_state=True)
    print_end(state.name, bool(alerts))
