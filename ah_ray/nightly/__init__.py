"""A schedule over a cohort: one job a night, tried again until it is complete."""
