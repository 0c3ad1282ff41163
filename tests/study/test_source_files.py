"""Files of labels are read whole, up to a limit of their size."""

from __future__ import annotations

import pytest
from invented_bah import ANNOTATIONS

from ah_ray.errors import ConfigError
from ah_ray.study.source_files import MAX_BYTES


@pytest.mark.parametrize("name", [ANNOTATIONS, "meta_data.yml", "split/val.txt"])
def test_what_is_too_large_is_not_read(bah, prepared, name):
    with (bah / name).open("r+b") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ConfigError, match="is over 1 GiB, which no file of labels is"):
        prepared(bah=bah)
