"""Ranges of time that a batch touches, and the SQL conditions that they become. Pure.

What is touched goes into statements as ranges of time and not as a join: ranges let Iceberg leave
out files before it opens them, and a join would cost a job of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

TENTH_US = 100_000
SECOND_US = 10 * TENTH_US
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

#: More ranges than this are joined to fewer, longer ones: recomputing too much is never wrong.
RANGES_MAX = 64


@dataclass(frozen=True)
class Range:
    """Time from `start_us` up to but without `end_us`, microseconds since 1970."""

    start_us: int
    end_us: int


def touched_ranges(numbers: Iterable[int], unit_us: int) -> tuple[Range, ...]:
    """Return ranges that hold all the given pieces of time, in order, at most 64.

    Args:
        numbers: of the pieces, counted from 1970.
        unit_us: length of a piece. Ranges are whole pieces.

    """
    ordered = sorted(set(numbers))
    ranges: tuple[Range, ...] = ()
    for tolerance_us in (SECOND_US, MINUTE_US, HOUR_US, DAY_US):
        ranges = _ranges(ordered, unit_us, max(1, tolerance_us // unit_us))
        if len(ranges) <= RANGES_MAX:
            return ranges
    return (Range(ranges[0].start_us, ranges[-1].end_us),)


def without(ranges: Iterable[Range], taken: Iterable[Range]) -> tuple[Range, ...]:
    """Return what is left of ranges when others are taken out of them."""
    left = list(ranges)
    for out in taken:
        left = [
            part
            for range_ in left
            for part in (
                Range(range_.start_us, min(range_.end_us, out.start_us)),
                Range(max(range_.start_us, out.end_us), range_.end_us),
            )
            if part.start_us < part.end_us
        ]
    return tuple(left)


def joined(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Return ranges that hold all of the given ones, in order, apart, at most 64."""
    found: list[Range] = []
    for range_ in sorted(ranges, key=lambda r: r.start_us):
        if range_.start_us >= range_.end_us:
            continue
        if found and range_.start_us <= found[-1].end_us:
            found[-1] = Range(found[-1].start_us, max(found[-1].end_us, range_.end_us))
        else:
            found.append(range_)
    if len(found) > RANGES_MAX:
        return (Range(found[0].start_us, found[-1].end_us),)
    return tuple(found)


def days(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Return the whole days that hold the ranges."""
    return joined(
        Range(range_.start_us // DAY_US * DAY_US, -(-range_.end_us // DAY_US) * DAY_US)
        for range_ in ranges
    )


def count_days(ranges: Iterable[Range]) -> int:
    """Return how many days ranges of whole days hold."""
    return sum((range_.end_us - range_.start_us) // DAY_US for range_ in ranges)


def times(ranges: Iterable[Range], column: str) -> str:
    """Return the condition that a column's time lies in one of the ranges."""
    return _any(
        f"({column} >= timestamp_micros({range_.start_us})"
        f" AND {column} < timestamp_micros({range_.end_us}))"
        for range_ in ranges
    )


def hours(ranges: Iterable[Range], prefix: str) -> str:
    """Return the condition on the partitions of gold.trades."""
    found: dict[int, tuple[int, int]] = {}
    for range_ in ranges:
        first, last = range_.start_us // HOUR_US, (range_.end_us - 1) // HOUR_US
        for day in range(first // 24, last // 24 + 1):
            low, high = found.get(day, (23, 0))
            low = min(low, first - day * 24 if day == first // 24 else 0)
            high = max(high, last - day * 24 if day == last // 24 else 23)
            found[day] = (low, high)
    if len(found) > RANGES_MAX:
        return (
            f"{prefix}exchange_date BETWEEN date_from_unix_date({min(found)})"
            f" AND date_from_unix_date({max(found)})"
        )
    return _any(
        f"({prefix}exchange_date = date_from_unix_date({day})"
        f" AND {prefix}exchange_hour BETWEEN {low} AND {high})"
        for day, (low, high) in found.items()
    )


def overlapping(ranges: Iterable[Range], start: str, end: str) -> str:
    """Return the condition that the window between two columns shares time with a range."""
    return _any(
        f"({end} > timestamp_micros({range_.start_us})"
        f" AND {start} < timestamp_micros({range_.end_us}))"
        for range_ in ranges
    )


def _ranges(ordered: Iterable[int], unit_us: int, tolerance: int) -> tuple[Range, ...]:
    found: list[list[int]] = []
    for number in ordered:
        if found and number - found[-1][1] <= tolerance:
            found[-1][1] = number
        else:
            found.append([number, number])
    return tuple(Range(first * unit_us, (last + 1) * unit_us) for first, last in found)


def _any(conditions: Iterable[str]) -> str:
    return " OR ".join(conditions) or "false"
