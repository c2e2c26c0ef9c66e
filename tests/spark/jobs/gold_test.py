"""Goal: the statements of Gold read what a batch touches, no less and hardly more.

Method: SQL text. That the SQL does what it says is shown by the tests of the refinery.
"""

from __future__ import annotations

from gold import bars, minutes, new_trades, replaced_bars
from time_ranges import DAY_US, HOUR_US, MINUTE_US, Range


def test_the_search_for_a_trade_is_a_microsecond_wider_than_the_batch() -> None:
    sql = new_trades("batch", (Range(HOUR_US, HOUR_US + MINUTE_US),))

    assert f"timestamp >= timestamp_micros({HOUR_US - 1})" in sql
    assert f"timestamp < timestamp_micros({HOUR_US + MINUTE_US + 1})" in sql
    assert "exchange_date = date_from_unix_date(0) AND exchange_hour BETWEEN 0 AND 1" in sql


def test_of_known_minutes_only_the_new_trades_are_read() -> None:
    known = Range(DAY_US - MINUTE_US, DAY_US)
    unknown = Range(DAY_US, DAY_US + MINUTE_US)
    touched = (Range(known.start_us, unknown.end_us),)

    afresh = minutes("inserted", "minutes", touched, ())
    continued = minutes("inserted", "minutes", touched, (known,))

    assert "exchange_date = date_from_unix_date(0) AND exchange_hour BETWEEN 23 AND 23" in afresh
    assert "exchange_date = date_from_unix_date(1) AND exchange_hour BETWEEN 0 AND 0" in afresh
    assert "FROM minutes" not in afresh
    assert "exchange_date = date_from_unix_date(0)" not in continued
    assert "exchange_date = date_from_unix_date(1) AND exchange_hour BETWEEN 0 AND 0" in continued
    assert "FROM minutes" in continued


def test_bars_read_whole_days_of_stored_minutes() -> None:
    days = f"window_start >= timestamp_micros(0) AND window_start < timestamp_micros({2 * DAY_US})"

    assert days in bars("minutes", (Range(DAY_US - MINUTE_US, DAY_US + MINUTE_US),), (), {})
    assert days in replaced_bars("bars", (Range(0, 2 * DAY_US),))
