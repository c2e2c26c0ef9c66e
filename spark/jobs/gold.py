"""How Gold follows Silver: each trade once, and the bars of every interval.

Pure: this file makes SQL text out of the time that a batch touches. The statements themselves stand
in `spark/sql`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from completeness import Market, MarketKey, market_rows
from statements import statement
from tables import GOLD_OHLCV, GOLD_TRADES
from time_ranges import Range, days, hours, overlapping, times, without


def new_trades(view: str, searched: Sequence[Range]) -> str:
    """Return the query of a view's trades that gold.trades does not hold, each message_id once.

    Its search is a microsecond wider on both sides: one exchange may tell the same trade's time cut
    in one place and rounded in another, and the two must still find each other.

    Args:
        view: records with their outcome.
        searched: time that holds all its trades.

    """
    wider = tuple(Range(range_.start_us - 1, range_.end_us + 1) for range_ in searched)
    return statement(
        "new_trades",
        view=view,
        columns=", ".join(f"new.{name}" for name in GOLD_TRADES.column_names),
        searched_hours=hours(wider, ""),
        searched_times=times(wider, "timestamp"),
    )


def minutes(inserted: str, known_view: str, ranges: Sequence[Range], known: Sequence[Range]) -> str:
    """Return the query of the one-minute bars of the ranges, in parts.

    Args:
        inserted: view of the trades that gold.trades has just got.
        known_view: view of what this query gave before those trades.
        ranges: whole minutes that hold the trades.
        known: the time whose trades, but for the inserted ones, are all in that view.

    """
    unknown = without(ranges, known)
    continued = statement("minutes_known", view=known_view, touched_minutes=times(ranges, "minute"))
    return statement(
        "minutes",
        inserted=inserted,
        unknown_hours=hours(unknown, ""),
        unknown_minutes=times(unknown, "timestamp"),
        known_minutes=times(known, "timestamp"),
        known=continued if known else "",
    )


def bars(
    minutes_view: str,
    ranges: Sequence[Range],
    changed: Sequence[Range],
    markets: Mapping[MarketKey, Market],
) -> str:
    """Return the query of the bars that are to replace the stored ones.

    Args:
        minutes_view: the one-minute bars of the ranges, in parts; not looked at without ranges.
        ranges: whole minutes whose trades have changed: all bars that they touch are computed.
        changed: time in which what is known of markets has changed: of the other bars those that it
            touches and whose completeness it changes.
        markets: what is known of markets.

    """
    fresh = statement(
        "bars",
        minutes=minutes_view,
        touched_days=times(days(ranges), "window_start"),
        stored_touched_minutes=times(ranges, "window_start"),
        touched_bars=overlapping(ranges, "bar_start", "bar_end"),
    )
    nothing = f"SELECT * FROM {GOLD_OHLCV.path} WHERE false"
    return statement(
        "bars_judged",
        fresh=fresh if ranges else nothing,
        changed_days=times(days(changed), "window_start"),
        changed_bars=overlapping(changed, "window_start", "window_end"),
        touched_bars=overlapping(ranges, "window_start", "window_end"),
        markets=market_rows(markets, days((*ranges, *changed))),
    )


def replaced_bars(view: str, touched_days: Sequence[Range]) -> str:
    """Return the query of all bars of some days, as they are to be.

    Args:
        view: the bars that are to replace stored ones.
        touched_days: the days that their windows start in.

    """
    return statement(
        "bars_replaced",
        view=view,
        columns=", ".join(GOLD_OHLCV.column_names),
        old_columns=", ".join(f"old.{name}" for name in GOLD_OHLCV.column_names),
        touched_days=times(touched_days, "window_start"),
    )
