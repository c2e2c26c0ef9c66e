"""Goal: what is rewritten, and what is left alone, so that a byte is rewritten seldom.

Method: partitions and file sizes as values.
"""

from __future__ import annotations

import pytest

from compaction_plan import (
    DAY_MS,
    HOUR_MS,
    MIB,
    Compaction,
    Field,
    Partition,
    ends_ms,
    files_to_rewrite,
    is_closed,
    may_need_rewrite,
    rewrite_options,
)

PLAN = Compaction()
DAYS = (Field("kafka_timestamp", "day"),)
HOURS = (Field("exchange_date", "identity"), Field("exchange_hour", "identity"))
BARS = (Field("interval", "identity"), Field("window_start", "day"))


def test_a_period_ends_with_its_day_or_hour() -> None:
    assert ends_ms(DAYS, (20_000,)) == 20_001 * DAY_MS
    assert ends_ms(HOURS, (20_000, 12)) == 20_000 * DAY_MS + 13 * HOUR_MS
    assert ends_ms(BARS, ("1m", 20_000)) == 20_001 * DAY_MS
    assert ends_ms((), ()) is None


@pytest.mark.parametrize(
    ("touched_ms", "now_ms", "closed"),
    [
        (None, 20_001 * DAY_MS - 1, False),
        (None, 20_001 * DAY_MS, True),
        (20_001 * DAY_MS, 20_001 * DAY_MS + HOUR_MS - 1, False),
        (20_001 * DAY_MS, 20_001 * DAY_MS + HOUR_MS, True),
    ],
)
def test_a_partition_closes_an_hour_after_its_last_write(
    touched_ms: int | None, now_ms: int, *, closed: bool
) -> None:
    partition = Partition((20_000,), 1, 1, touched_ms)
    assert is_closed(DAYS, partition, PLAN, now_ms) is closed
    assert not is_closed((), Partition((), 1, 1, None), PLAN, now_ms)


@pytest.mark.parametrize(
    ("files", "size", "closed", "worth_a_look"),
    [
        (1, 1, True, False),
        (2, 200, True, True),
        (7, 25 * MIB, True, False),
        (8, 25 * MIB, True, True),
        (50, 200, False, False),
        (51, 200, False, True),
    ],
)
def test_the_number_of_files_says_whether_to_look(
    files: int, size: int, *, closed: bool, worth_a_look: bool
) -> None:
    partition = Partition((20_000,), files, size, None)
    assert may_need_rewrite(partition, PLAN, closed=closed) is worth_a_look


@pytest.mark.parametrize(
    ("sizes", "closed", "count"),
    [
        # A closed partition is joined as soon as two of its files fit into one.
        ([MIB], True, 0),
        ([MIB, 2 * MIB], True, 2),
        ([MIB, 3 * MIB], True, 0),
        ([2 * MIB + 1] * 3, True, 0),
        # An open one only when it has many, and not those that are large enough.
        ([1000] * 50, False, 0),
        ([1000] * 51, False, 51),
        ([3 * MIB] * 500, False, 0),
        ([3 * MIB] * 500 + [1000] * 50, False, 0),
        # A step is bounded.
        ([MIB] * 100, True, 4),
    ],
)
def test_small_files_are_joined(sizes: list[int], *, closed: bool, count: int) -> None:
    assert files_to_rewrite(sizes, PLAN, closed=closed) == count


def test_a_group_is_one_task_and_one_file() -> None:
    options = rewrite_options(7, PLAN)

    assert options["target-file-size-bytes"] == options["max-file-group-size-bytes"]
    assert options["target-file-size-bytes"] == str(4 * MIB)
    assert options["min-file-size-bytes"] == str(3 * MIB)
    assert options["max-files-to-rewrite"] == "7"
