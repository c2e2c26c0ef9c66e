"""How Gold follows Silver: each trade once, and the bars of every interval.

Pure: this file makes SQL text out of the time that a batch touches. The statements themselves stand
in `spark/sql`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from completeness import Market, MarketKey, market_rows
from statements import statement
from tables import GOLD_OHLCV, GOLD_TRADES
from time_ranges import Range, days, hours, overlapping, times

#: What a bar of gold.ohlcv is found by.
BAR_KEY = ("exchange", "native_symbol", "interval", "window_start")


def merge_trades(view: str, ranges: Sequence[Range]) -> str:
    """Return the statement that takes a view's trades into gold.trades, each message_id once.

    Its search is a microsecond wider on both sides: one exchange may tell the same trade's time cut
    in one place and rounded in another, and the two must still find each other.
    """
    wider = tuple(Range(range_.start_us - 1, range_.end_us + 1) for range_ in ranges)
    return statement(
        "gold_trades_merge",
        view=view,
        columns=", ".join(GOLD_TRADES.column_names),
        touched_hours=hours(wider, "old."),
        touched_times=times(wider, "old.timestamp"),
    )


def bars(
    ranges: Sequence[Range], changed: Sequence[Range], markets: Mapping[MarketKey, Market]
) -> str:
    """Return the query of the bars that are to replace the stored ones.

    Args:
        ranges: whole minutes whose trades have changed: all bars that they touch are computed.
        changed: time in which what is known of markets has changed: of the other bars those that it
            touches and whose completeness it changes.
        markets: what is known of markets.

    """
    fresh = statement(
        "bars",
        touched_hours=hours(ranges, ""),
        touched_minutes=times(ranges, "timestamp"),
        touched_days=times(days(ranges), "window_start"),
        stored_touched_minutes=times(ranges, "window_start"),
        touched_bars=overlapping(ranges, "bar_start", "bar_end"),
    )
    return statement(
        "bars_judged",
        fresh=fresh,
        changed_days=times(days(changed), "window_start"),
        changed_bars=overlapping(changed, "window_start", "window_end"),
        touched_bars=overlapping(ranges, "window_start", "window_end"),
        markets=market_rows(markets, days((*ranges, *changed))),
    )


def merge_bars(view: str, touched_days: Sequence[Range]) -> str:
    """Return the statement that puts a view's bars in the place of the stored ones.

    Args:
        view: the bars.
        touched_days: the days that their windows start in.

    """
    replaced = (name for name in GOLD_OHLCV.column_names if name not in BAR_KEY)
    return statement(
        "bars_merge",
        view=view,
        touched_days=times(touched_days, "old.window_start"),
        assignments=", ".join(f"old.{name} = new.{name}" for name in replaced),
    )
