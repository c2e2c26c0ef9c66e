"""How long each table keeps its rows, and who must have taken them before they go.

Whole days only: bars of a day are computed from the day's trades, and a day is a partition, so that
its end is one change of metadata. A row of Silver goes so many days after both its trade and its
arrival: history that was imported yesterday is not a month old. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from tables import (
    BRONZE_DEAD_LETTERS,
    BRONZE_EVENTS,
    BRONZE_FRAMES,
    BRONZE_TRADES,
    GOLD_OHLCV,
    GOLD_TRADES,
    SILVER_COVERAGE,
    SILVER_FRAMES,
    SILVER_QUARANTINE,
    SILVER_TRADES,
    Table,
)

#: Table property: rows of earlier days may be gone. ISO 8601, UTC, the start of a day.
RETAINED_FROM = "k2.retained_from"

#: Who must have consumed a table's rows before they go.
TAKEN_BY: dict[Table, tuple[Table, ...]] = {
    BRONZE_TRADES: (SILVER_TRADES,),
    BRONZE_FRAMES: (SILVER_FRAMES,),
    BRONZE_EVENTS: (SILVER_COVERAGE,),
    SILVER_TRADES: (GOLD_TRADES, GOLD_OHLCV),
}

#: Columns that must all lie before the first day kept. The first one partitions the table.
_TIMES: dict[Table, tuple[str, ...]] = {
    BRONZE_TRADES: ("kafka_timestamp",),
    BRONZE_FRAMES: ("kafka_timestamp",),
    BRONZE_EVENTS: ("kafka_timestamp",),
    BRONZE_DEAD_LETTERS: ("kafka_timestamp",),
    SILVER_TRADES: ("timestamp", "kafka_timestamp"),
    SILVER_QUARANTINE: ("kafka_timestamp",),
    SILVER_FRAMES: ("received_us", "kafka_timestamp"),
    GOLD_TRADES: ("exchange_date",),
    GOLD_OHLCV: ("window_start",),
}


@dataclass(frozen=True)
class Retention:
    """Days that rows are kept, 0 for ever. What is not named here is current state and stays."""

    bronze_days: int = 7
    frames_days: int = 3
    silver_days: int = 30
    gold_days: int = 0

    def days_of(self, table: Table) -> int:
        """Return the days of one table, 0 for ever."""
        if table not in _TIMES:
            return 0
        if table == SILVER_FRAMES:
            return self.frames_days
        by_layer = {
            "bronze": self.bronze_days,
            "silver": self.silver_days,
            "gold": self.gold_days,
        }
        return by_layer[table.name.split(".", maxsplit=1)[0]]


def first_kept_day(now_ms: int, days: int) -> datetime:
    """Return the start of the earliest day that is kept: `days` whole days before today's."""
    today = datetime.fromtimestamp(now_ms / 1000, tz=timezone.utc).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    return today - timedelta(days=days)


def expired_rows(table: Table, first_day: datetime) -> str:
    """Return the SQL condition that holds for the rows to go."""
    return " AND ".join(
        f"`{column}` < DATE '{first_day:%Y-%m-%d}'"
        if column == "exchange_date"
        else f"`{column}` < TIMESTAMP '{first_day:%Y-%m-%d} 00:00:00Z'"
        for column in _TIMES[table]
    )


def retained_from_text(first_day: datetime) -> str:
    """Return the instant as the table property has it."""
    return f"{first_day:%Y-%m-%dT%H:%M:%SZ}"
