"""Goal: the statements of Gold read what a batch touches, no less and hardly more.

Method: SQL text. That the SQL does what it says is shown by the tests of the refinery.
"""

from __future__ import annotations

from gold import bars, merge_trades
from time_ranges import DAY_US, HOUR_US, MINUTE_US, Range


def test_the_search_for_a_trade_is_a_microsecond_wider_than_the_batch() -> None:
    sql = merge_trades("batch", (Range(HOUR_US, HOUR_US + MINUTE_US),))

    assert f"old.timestamp >= timestamp_micros({HOUR_US - 1})" in sql
    assert f"old.timestamp < timestamp_micros({HOUR_US + MINUTE_US + 1})" in sql
    assert "old.exchange_date = date_from_unix_date(0) AND old.exchange_hour BETWEEN 0 AND 1" in sql


def test_bars_read_whole_days_of_stored_minutes() -> None:
    sql = bars((Range(DAY_US - MINUTE_US, DAY_US + MINUTE_US),), (), {})

    assert (
        f"window_start >= timestamp_micros(0) AND window_start < timestamp_micros({2 * DAY_US})"
        in sql
    )
    assert "exchange_date = date_from_unix_date(0) AND exchange_hour BETWEEN 23 AND 23" in sql
    assert "exchange_date = date_from_unix_date(1) AND exchange_hour BETWEEN 0 AND 0" in sql
