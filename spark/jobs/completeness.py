"""Whether a bar is complete: what is known of each market, and which bars a change of it touches.

A bar is complete when its window starts at or after the market's coverage, ends at or before what
is confirmed, and is touched by the time bracket of no gap that is open or unfillable. What is known
of markets is small and goes into statements as rows of text. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from statements import literal
from time_ranges import Range, joined

#: (exchange, native_symbol).
MarketKey = tuple[str, str]

#: From the trade before a gap to the trade after it, microseconds since 1970, both inclusive.
Bracket = tuple[int, int]

_NO_MARKET = (
    "(CAST(NULL AS STRING), CAST(NULL AS STRING), CAST(NULL AS BIGINT), CAST(NULL AS BIGINT),"
    " CAST(array() AS ARRAY<STRUCT<from_us: BIGINT, to_us: BIGINT>>))"
)


@dataclass(frozen=True)
class Market:
    """What is known of one market. Times are microseconds since 1970, None while not known."""

    from_us: int | None
    confirmed_us: int | None
    #: Of the gaps that are open or unfillable.
    brackets: tuple[Bracket, ...]


def market_rows(markets: Mapping[MarketKey, Market], ranges: Sequence[Range]) -> str:
    """Return the markets as SQL rows, with the brackets that touch a day of the ranges."""
    rows = [_NO_MARKET]
    for (exchange, native_symbol), market in markets.items():
        brackets = ", ".join(
            f"named_struct('from_us', {from_us}L, 'to_us', {to_us}L)"
            for from_us, to_us in market.brackets
            if any(from_us < range_.end_us and to_us >= range_.start_us for range_ in ranges)
        )
        times = ", ".join(_number(us) for us in (market.from_us, market.confirmed_us))
        rows.append(f"({literal(exchange)}, {literal(native_symbol)}, {times}, array({brackets}))")
    return ",\n".join(rows)


def changed_ranges(
    before: Mapping[MarketKey, Market],
    after: Mapping[MarketKey, Market],
    gaps: Iterable[Bracket],
) -> tuple[Range, ...]:
    """Return the time in which bars may have become complete, or not complete any more.

    Args:
        before: the markets as bars know them.
        after: the markets as they are now.
        gaps: the brackets of all gaps that have changed.

    """
    ranges = [Range(from_us, to_us + 1) for from_us, to_us in gaps]
    for key, market in after.items():
        earlier = before.get(key, Market(None, None, ()))
        if market.from_us is None or market.confirmed_us is None:
            continue
        confirmed_us = market.from_us if earlier.confirmed_us is None else earlier.confirmed_us
        ranges.append(Range(confirmed_us, market.confirmed_us + 1))
        from_us = market.confirmed_us if earlier.from_us is None else earlier.from_us
        ranges.append(Range(min(from_us, market.from_us), max(from_us, market.from_us)))
    return joined(ranges)


def _number(us: int | None) -> str:
    return "CAST(NULL AS BIGINT)" if us is None else f"{us}L"
