from ah_ray.units import format_bytes, format_clock, format_count, format_duration, format_names


def test_clock():
    assert [format_clock(s) for s in (None, 5, 65, 3723)] == ["–", "0:05", "1:05", "1:02:03"]


def test_lengths_of_time():
    found = [format_duration(s) for s in (0, 1, 45.0, 60, 750, 3600, 5_400, 4_444_200)]
    assert found == [
        "0 seconds", "1 second", "45 seconds", "1 minute", "12.5 minutes", "1 hour", "1.5 hours",
        "1,234.5 hours",
    ]  # fmt: skip


def test_sizes():
    found = [format_bytes(n) for n in (0, 999, 3_400_000, 5_000_000_000, 1_234_500_000_000)]
    assert found == ["0 B", "999 B", "3.4 MB", "5.0 GB", "1.2 TB"]


def test_counted():
    found = [format_count(n, "video") for n in (0, 1, 2, 1_200)]
    assert found == ["0 videos", "1 video", "2 videos", "1,200 videos"]


def test_named():
    assert [format_names(list("abcd"[:n])) for n in (1, 3, 4)] == ["a", "a, b, c", "a, b, c …"]
