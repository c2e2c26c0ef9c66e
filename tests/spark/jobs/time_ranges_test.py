"""Goal: what a batch touches becomes few ranges of time, never too narrow.

Method: minutes in, ranges out.
"""

from __future__ import annotations

from time_ranges import (
    DAY_US,
    MINUTE_US,
    RANGES_MAX,
    TENTH_US,
    Range,
    days,
    joined,
    touched_ranges,
    without,
)


def test_neighboring_minutes_are_one_range() -> None:
    assert touched_ranges([7, 5, 6, 9], MINUTE_US) == (
        Range(5 * MINUTE_US, 8 * MINUTE_US),
        Range(9 * MINUTE_US, 10 * MINUTE_US),
    )


def test_no_minute_is_no_range() -> None:
    assert touched_ranges([], MINUTE_US) == ()


def test_many_scattered_minutes_become_few_ranges_that_hold_them_all() -> None:
    for step in (2, 61, 1441):
        minutes = range(0, step * 10_000, step)

        ranges = touched_ranges(minutes, MINUTE_US)

        assert 1 <= len(ranges) <= RANGES_MAX
        assert all(
            any(r.start_us <= minute * MINUTE_US < r.end_us for r in ranges) for minute in minutes
        )


def test_tenths_that_a_second_parts_are_one_range() -> None:
    assert touched_ranges([1, 11, 22], TENTH_US) == (
        Range(TENTH_US, 12 * TENTH_US),
        Range(22 * TENTH_US, 23 * TENTH_US),
    )
    assert touched_ranges(range(0, 600_000, 11), TENTH_US) == (Range(0, 599_996 * TENTH_US),)


def test_what_is_left_of_ranges() -> None:
    assert without([Range(0, 10)], []) == (Range(0, 10),)
    assert without([Range(0, 10)], [Range(0, 10)]) == ()
    assert without([Range(0, 10), Range(20, 30)], [Range(3, 5), Range(9, 22)]) == (
        *(Range(0, 3), Range(5, 9)),
        Range(22, 30),
    )


def test_joined_ranges_are_apart_in_order_and_never_too_many() -> None:
    assert joined([Range(5, 7), Range(1, 2), Range(6, 9), Range(2, 3), Range(4, 4)]) == (
        Range(1, 3),
        Range(5, 9),
    )
    assert joined(Range(10 * n, 10 * n + 1) for n in range(65)) == (Range(0, 641),)


def test_days_hold_the_ranges_whole() -> None:
    assert days([Range(DAY_US - 1, DAY_US + 1)]) == (Range(0, 2 * DAY_US),)
    assert days([Range(0, DAY_US), Range(5 * DAY_US + 1, 5 * DAY_US + 2)]) == (
        Range(0, DAY_US),
        Range(5 * DAY_US, 6 * DAY_US),
    )
