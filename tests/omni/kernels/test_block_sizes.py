"""Which tiles a product takes, and the search that is kept."""

import json

import pytest

from ah_ray.omni.kernels.blocks import (
    LARGE,
    SMALL,
    Blocks,
    Product,
    choose_blocks,
    find_cache,
    search_blocks,
)

FIRST, SECOND, THIRD = (Blocks(n, 64, 64, 4, 3) for n in (16, 32, 64))


def test_many_rows_take_the_first_of_the_table_and_few_take_small_ones():
    assert choose_blocks(Product.DOWN, 2, 1_024) == LARGE[Product.DOWN, 2][0]
    assert choose_blocks(Product.GATE_UP, 1, 8.5) == SMALL[1]
    assert choose_blocks(Product.GATE_UP, 4, 8.5) == SMALL[2]  # float32, in tests


def test_the_fastest_is_kept_and_not_measured_again(tmp_path):
    cache = tmp_path / "folder" / "kernels.json"
    measured = []

    def measure(blocks: Blocks) -> float:
        measured.append(blocks)
        return abs(blocks.rows - 30)

    tried = (FIRST, SECOND, THIRD)
    assert search_blocks(tried, measure, "card, down", cache) == SECOND
    assert search_blocks(tried, measure, "card, down", cache) == SECOND
    assert measured == [*tried]
    # Another card, and a table without what was kept, are measured for themselves.
    assert search_blocks(tried, measure, "other card, down", cache) == SECOND
    assert search_blocks((FIRST, THIRD), measure, "card, down", cache) == FIRST
    assert json.loads(cache.read_text()).keys() == {"card, down", "other card, down"}


def test_what_a_card_cannot_do_is_passed_over(tmp_path):
    def measure(blocks: Blocks) -> float:
        if blocks != THIRD:
            raise MemoryError(f"{blocks.rows} rows: out of resource: shared memory")
        return 1.0

    assert search_blocks((FIRST, SECOND, THIRD), measure, "key", tmp_path / "a.json") == THIRD
    with pytest.raises(RuntimeError, match="no tile size can be used: 32 rows: out of resource"):
        search_blocks((FIRST, SECOND), measure, "key", tmp_path / "b.json")
    assert not (tmp_path / "b.json").exists()


@pytest.mark.parametrize("content", ["{", "[1]", '{"key": 7}', '{"key": "1×2"}'])
def test_a_damaged_file_is_searched_again(tmp_path, content):
    cache = tmp_path / "kernels.json"
    cache.write_text(content)
    assert search_blocks((SECOND, FIRST), lambda one: one.rows, "key", cache) == FIRST
    assert json.loads(cache.read_text())["key"] == "16×64×64×4×3"


def test_a_folder_that_cannot_be_written_costs_only_the_search(tmp_path):
    (tmp_path / "file").write_text("")
    cache = tmp_path / "file" / "kernels.json"
    assert search_blocks((SECOND, FIRST), lambda one: one.rows, "key", cache) == FIRST


def test_the_file_is_one_of_the_user(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert find_cache() == tmp_path / "ah_ray" / "kernels.json"
