"""Tables of labels that a disk or a copy has broken: told, never a traceback."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ah_ray.errors import ConfigError
from ah_ray.study.table_rows import read_rows

NEEDED = ("uri", "label")


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
def test_a_table_with_any_byte_changed(tmp_path, compression):
    """Of its pages, which have checksums; a footer has none."""
    file, n_told = tmp_path / "labels.parquet", 0
    columns = {"uri": [f"visit {n}/é.mp4" for n in range(20)], "label": [0, 1] * 10}
    pq.write_table(pa.table(columns), file, compression=compression, write_page_checksum=True)
    content, was = file.read_bytes(), list(read_rows(str(file), NEEDED, ()))
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for place in range(0, footer, 3):
        file.write_bytes(bytes([*content[:place], content[place] ^ 0x5A, *content[place + 1 :]]))
        try:
            found = list(read_rows(str(file), NEEDED, ()))
            assert found == was
        except ConfigError as error:
            assert "labels.parquet" in str(error)
            n_told += 1
    assert n_told > 50
