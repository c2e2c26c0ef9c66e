"""Goal: each table keeps its rows as long as it is said, in whole days.

Method: instants and settings as values.
"""

from __future__ import annotations

from datetime import datetime, timezone

from retention_plan import Retention, expired_rows, first_kept_day, retained_from_text
from tables import GOLD_TRADES, SILVER_TRADES, TABLES

NOON_MS = 1_787_745_600_000


def test_the_defaults_are_a_week_of_bronze_a_month_of_silver_and_gold_for_ever() -> None:
    days = {table.name: Retention().days_of(table) for table in TABLES}

    assert days == {
        "bronze.trades": 7,
        "bronze.frames": 7,
        "bronze.events": 7,
        "bronze.dead_letters": 7,
        "silver.trades": 30,
        "silver.quarantine": 30,
        "silver.frames": 3,
        "silver.gaps": 0,
        "silver.sessions": 0,
        "silver.coverage": 0,
        "gold.trades": 0,
        "gold.ohlcv": 0,
    }
    kept = Retention(gold_days=400)
    assert {kept.days_of(table) for table in TABLES if table.name.startswith("gold.")} == {400}


def test_whole_days_are_kept() -> None:
    first = first_kept_day(NOON_MS, 7)

    assert first == datetime(2026, 8, 19, tzinfo=timezone.utc)
    assert first_kept_day(NOON_MS + 43_199_999, 7) == first
    assert retained_from_text(first) == "2026-08-19T00:00:00Z"


def test_a_row_of_silver_goes_after_its_trade_and_its_arrival() -> None:
    first = first_kept_day(NOON_MS, 30)

    assert expired_rows(SILVER_TRADES, first) == (
        "`timestamp` < TIMESTAMP '2026-07-27 00:00:00Z'"
        " AND `kafka_timestamp` < TIMESTAMP '2026-07-27 00:00:00Z'"
    )
    assert expired_rows(GOLD_TRADES, first) == "`exchange_date` < DATE '2026-07-27'"
