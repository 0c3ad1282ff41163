"""Work on finished outputs: new verdicts, ensembles, calibrations, status and removal."""
