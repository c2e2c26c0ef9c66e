"""Goal: Silver and Gold are exact whatever happens to a batch.

Method: real Iceberg tables; Bronze rows appended by the test and given to `Refinery.refine`, as
the stream gives them. Bars are compared with a second computation in Python's decimal.
"""

from __future__ import annotations

from lake import Lake, expected_bars, trade


def test_trades_reach_silver_and_gold_with_their_digits(lake: Lake) -> None:
    trades = [trade(number) for number in range(200)]

    refined = lake.take(trades)

    assert (refined.rows, refined.trades) == (200, 200)
    assert len(lake.rows("silver.trades")) == len(lake.rows("gold.trades")) == 200
    assert lake.bars() == expected_bars(trades)
