"""How Gold follows Silver: each trade once, and the bars of every interval.

Pure: this file makes SQL text out of the minutes that a batch touches. The statements themselves
stand in `spark/sql`. What is touched goes into them as ranges of time and not as a join: ranges let
Iceberg leave out files before it opens them, and a join would cost a job of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from statements import statement
from tables import GOLD_OHLCV, GOLD_TRADES

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

#: More ranges than this are joined to fewer, longer ones: recomputing too much is never wrong.
RANGES_MAX = 64


@dataclass(frozen=True)
class Range:
    """Time from `start_us` up to but without `end_us`, microseconds since 1970, whole minutes."""

    start_us: int
    end_us: int


def touched_ranges(minutes: Iterable[int]) -> tuple[Range, ...]:
    """Return the ranges that hold all the minutes (counted from 1970), in order, at most 64."""
    for tolerance in (1, 60, 24 * 60):
        ranges = _ranges(minutes, tolerance)
        if len(ranges) <= RANGES_MAX:
            return ranges
    return (Range(ranges[0].start_us, ranges[-1].end_us),)


def merge_trades(view: str, ranges: tuple[Range, ...]) -> str:
    """Return the statement that takes a view's trades into gold.trades, each message_id once.

    Its search is a microsecond wider on both sides: one exchange may tell the same trade's time cut
    in one place and rounded in another, and the two must still find each other.
    """
    wider = tuple(Range(range_.start_us - 1, range_.end_us + 1) for range_ in ranges)
    return statement(
        "gold_trades_merge",
        view=view,
        columns=", ".join(GOLD_TRADES.column_names),
        touched_hours=_hours(wider, "old."),
        touched_times=_times(wider, "old.timestamp"),
    )


def bars(ranges: tuple[Range, ...]) -> str:
    """Return the query of all bars that the ranges touch, as they are to be."""
    return statement(
        "bars",
        touched_hours=_hours(ranges, ""),
        touched_minutes=_times(ranges, "timestamp"),
        touched_days=_times(_days(ranges), "window_start"),
        stored_touched_minutes=_times(ranges, "window_start"),
        touched_bars=_overlapping(ranges),
    )


def merge_bars(view: str, ranges: tuple[Range, ...]) -> str:
    """Return the statement that puts a view's bars in the place of the stored ones."""
    key = ("exchange", "native_symbol", "interval", "window_start")
    replaced = (name for name in GOLD_OHLCV.column_names if name not in key)
    return statement(
        "bars_merge",
        view=view,
        touched_days=_times(_days(ranges), "old.window_start"),
        assignments=", ".join(f"old.{name} = new.{name}" for name in replaced),
    )


def _ranges(minutes: Iterable[int], tolerance: int) -> tuple[Range, ...]:
    found: list[list[int]] = []
    for minute in sorted(minutes):
        if found and minute - found[-1][1] <= tolerance:
            found[-1][1] = minute
        else:
            found.append([minute, minute])
    return tuple(Range(first * MINUTE_US, (last + 1) * MINUTE_US) for first, last in found)


def _days(ranges: tuple[Range, ...]) -> tuple[Range, ...]:
    """Return the whole days that hold the ranges."""
    minutes = (
        day * 24 * 60
        for range_ in ranges
        for day in range(range_.start_us // DAY_US, (range_.end_us - 1) // DAY_US + 1)
    )
    first_minutes = _ranges(minutes, 24 * 60)
    return tuple(Range(r.start_us, r.end_us - MINUTE_US + DAY_US) for r in first_minutes)


def _times(ranges: tuple[Range, ...], column: str) -> str:
    return " OR ".join(
        f"({column} >= timestamp_micros({range_.start_us})"
        f" AND {column} < timestamp_micros({range_.end_us}))"
        for range_ in ranges
    )


def _hours(ranges: tuple[Range, ...], prefix: str) -> str:
    """Return the condition on the partitions of gold.trades."""
    days: dict[int, tuple[int, int]] = {}
    for range_ in ranges:
        first, last = range_.start_us // HOUR_US, (range_.end_us - 1) // HOUR_US
        for day in range(first // 24, last // 24 + 1):
            low, high = days.get(day, (23, 0))
            low = min(low, first - day * 24 if day == first // 24 else 0)
            high = max(high, last - day * 24 if day == last // 24 else 23)
            days[day] = (low, high)
    if len(days) > RANGES_MAX:
        return (
            f"{prefix}exchange_date BETWEEN date_from_unix_date({min(days)})"
            f" AND date_from_unix_date({max(days)})"
        )
    return " OR ".join(
        f"({prefix}exchange_date = date_from_unix_date({day})"
        f" AND {prefix}exchange_hour BETWEEN {low} AND {high})"
        for day, (low, high) in days.items()
    )


def _overlapping(ranges: tuple[Range, ...]) -> str:
    return " OR ".join(
        f"(bar_end > timestamp_micros({range_.start_us})"
        f" AND bar_start < timestamp_micros({range_.end_us}))"
        for range_ in ranges
    )
