"""Goal: what a batch touches becomes few ranges of time, never too narrow.

Method: minutes in, ranges and SQL text out. That the SQL does what it says is shown by the tests of
the refinery.
"""

from __future__ import annotations

from gold import DAY_US, HOUR_US, MINUTE_US, RANGES_MAX, Range, bars, merge_trades, touched_ranges


def test_neighboring_minutes_are_one_range() -> None:
    assert touched_ranges([7, 5, 6, 9]) == (
        Range(5 * MINUTE_US, 8 * MINUTE_US),
        Range(9 * MINUTE_US, 10 * MINUTE_US),
    )


def test_no_minute_is_no_range() -> None:
    assert touched_ranges([]) == ()


def test_many_scattered_minutes_become_few_ranges_that_hold_them_all() -> None:
    for step in (2, 61, 1441):
        minutes = range(0, step * 10_000, step)

        ranges = touched_ranges(minutes)

        assert 1 <= len(ranges) <= RANGES_MAX
        assert all(
            any(r.start_us <= minute * MINUTE_US < r.end_us for r in ranges) for minute in minutes
        )


def test_the_search_for_a_trade_is_a_microsecond_wider_than_the_batch() -> None:
    sql = merge_trades("batch", (Range(HOUR_US, HOUR_US + MINUTE_US),))

    assert f"old.timestamp >= timestamp_micros({HOUR_US - 1})" in sql
    assert f"old.timestamp < timestamp_micros({HOUR_US + MINUTE_US + 1})" in sql
    assert "old.exchange_date = date_from_unix_date(0) AND old.exchange_hour BETWEEN 0 AND 1" in sql


def test_bars_read_whole_days_of_stored_minutes() -> None:
    sql = bars((Range(DAY_US - MINUTE_US, DAY_US + MINUTE_US),))

    assert (
        f"window_start >= timestamp_micros(0) AND window_start < timestamp_micros({2 * DAY_US})"
        in sql
    )
    assert "exchange_date = date_from_unix_date(0) AND exchange_hour BETWEEN 23 AND 23" in sql
    assert "exchange_date = date_from_unix_date(1) AND exchange_hour BETWEEN 0 AND 0" in sql
