"""Loading takes no second copy of the weights, in one process or in two at once."""

import pytest
from loading import load, write_checkpoint


@pytest.mark.heavy
def test_nothing_is_held_beside_the_model(tmp_path):
    n_bytes = write_checkpoint(tmp_path, 1.0)
    for n_processes in (1, 2):
        found = load(tmp_path, n_processes)
        assert found["bytes"] == n_bytes
        # Experts are joined into tensors of the model; all other weights stay mapped.
        assert found["after"] < 0.95 * n_bytes and found["mapped"] > 0.2 * n_bytes
        held_beside = found["private"] - found["after"]
        assert held_beside < 0.15 * n_bytes + 150_000_000
