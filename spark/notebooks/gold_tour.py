# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     notebook_metadata_filter: -jupytext.text_representation
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A tour of Gold
#
# `gold.trades` holds every trade once, `gold.ohlcv` the bars made of them. DuckDB reads both
# straight from the Iceberg files; `bun run notebook` has set `K2_DATA_DIR`, so `connect()` finds
# the lake of that data directory.
#
# All tables are seen as they were when `connect()` was called. Run the next cell again to see newer
# trades.

# %%
from datetime import timedelta

import matplotlib.pyplot as plt

from k2_lake import connect

lake = connect()
lake.sql('SELECT schema AS layer, name AS "table" FROM (SHOW ALL TABLES) ORDER BY ALL')

# %% [markdown]
# ## What was traded
#
# One line for each market. Prices and volumes are `DECIMAL(38,18)`, exactly what the exchange said;
# nothing was ever a binary float.

# %%
lake.sql("""
    SELECT exchange, symbol, native_symbol, count(*) AS trades,
           min(timestamp) AS first_trade, max(timestamp) AS last_trade
    FROM gold.trades
    GROUP BY exchange, symbol, native_symbol
    ORDER BY trades DESC, exchange, native_symbol
""")

# %% [markdown]
# ## Candles
#
# The market with the most trades; put another one here, or another interval (`1m`, `5m`, `15m`,
# `30m`, `1h`, `4h`, `1d`).

# %%
market = lake.execute("""
    SELECT exchange, native_symbol, any_value(symbol) AS symbol
    FROM gold.trades
    GROUP BY exchange, native_symbol
    ORDER BY count(*) DESC, exchange, native_symbol
    LIMIT 1
""").fetchone()
assert market is not None, "Gold has no trades yet: wait for the first bars, then run all again"
exchange, native_symbol, symbol = market
interval = "1m"
windows_max = 90

# %%
candles = lake.execute(
    """
    SELECT window_start, window_end, open, high, low, close, volume, vwap, trade_count
    FROM gold.ohlcv
    WHERE exchange = ? AND native_symbol = ? AND interval = ?
    QUALIFY window_start > max(window_start) OVER () - ? * (window_end - window_start)
    ORDER BY window_start
    """,
    [exchange, native_symbol, interval, windows_max],
).fetchall()

figure, (prices, volumes) = plt.subplots(
    2, 1, figsize=(11, 6), sharex=True, height_ratios=(3, 1), layout="constrained"
)
for start, end, open_, high, low, close, volume, _, _ in candles:
    middle = start + (end - start) / 2
    width = (end - start) * 0.7
    color = "tab:blue" if close >= open_ else "tab:orange"
    prices.vlines(middle, float(low), float(high), color=color, linewidth=1)
    prices.bar(
        middle, float(abs(close - open_)), width, bottom=float(min(open_, close)), color=color
    )
    # A bar whose sum 38 digits cannot hold has no volume and no vwap.
    volumes.bar(middle, float(volume or 0), width, color=color)
averages = [
    (row[0] + (row[1] - row[0]) / 2, float(row[7])) for row in candles if row[7] is not None
]
prices.plot(*zip(*averages, strict=True), color="black", linewidth=0.8, label="VWAP")
prices.set_title(f"{symbol} on {exchange}, {interval} (blue: close at or above open)")
prices.set_ylabel(f"price in {symbol.split('/')[1]}")
prices.legend(loc="best")
volumes.set_ylabel(f"volume in {symbol.split('/')[0]}")
volumes.set_xlabel("UTC")
prices.margins(x=0.02)
plt.show()

# %% [markdown]
# ## Trades by exchange
#
# Counted from the one-minute bars, over the last hour of Gold.

# %%
newest = lake.execute("SELECT max(window_end) FROM gold.ohlcv WHERE interval = '1m'").fetchone()[0]
hour = newest - timedelta(hours=1)
by_minute = lake.execute(
    """
    SELECT exchange, window_start, sum(trade_count)::BIGINT AS trades
    FROM gold.ohlcv
    WHERE interval = '1m' AND window_start >= ?
    GROUP BY exchange, window_start
    ORDER BY exchange, window_start
    """,
    [hour],
).fetchall()
by_exchange = {}
for name, _, trades in by_minute:
    by_exchange[name] = by_exchange.get(name, 0) + trades

figure, (totals, minutes) = plt.subplots(
    1, 2, figsize=(11, 3.5), width_ratios=(1, 3), layout="constrained"
)
for number, name in enumerate(by_exchange):
    bars = totals.bar(name, by_exchange[name], color=f"C{number}")
    totals.bar_label(bars, fmt="{:,.0f}")
    times = [row[1] for row in by_minute if row[0] == name]
    counts = [row[2] for row in by_minute if row[0] == name]
    minutes.plot(times, counts, color=f"C{number}", marker=".", label=name)
totals.set_ylabel("trades")
totals.margins(y=0.15)
minutes.set_ylabel("trades per minute")
minutes.set_xlabel("UTC")
minutes.set_ylim(bottom=0)
minutes.legend(loc="best")
plt.show()
by_exchange

# %% [markdown]
# ## The spread between exchanges
#
# The volume-weighted price of each minute, on one exchange against another, of the asset that is
# traded most. Their quote assets may differ, `USD` and `USDT` for example: then the spread is also
# that between the two. In hundredths of a percent.

# %%
base_asset = symbol.split("/")[0]
spreads = lake.execute(
    """
    WITH markets AS (
        SELECT exchange, native_symbol, any_value(symbol) AS symbol, sum(trade_count) AS trades
        FROM gold.ohlcv
        WHERE interval = '1m' AND window_start >= $hour AND split_part(symbol, '/', 1) = $base_asset
        GROUP BY exchange, native_symbol
        QUALIFY row_number() OVER (PARTITION BY exchange ORDER BY trades DESC) = 1
    ),
    prices AS (
        SELECT m.exchange, m.symbol, b.window_start, b.vwap
        FROM markets AS m
        JOIN gold.ohlcv AS b ON b.exchange = m.exchange AND b.native_symbol = m.native_symbol
        WHERE b.interval = '1m' AND b.window_start >= $hour
    )
    SELECT one.exchange || ' ' || one.symbol || ' - ' || other.exchange || ' ' || other.symbol,
           one.window_start,
           ((one.vwap - other.vwap)::DOUBLE / other.vwap::DOUBLE) * 10000 AS spread
    FROM prices AS one
    JOIN prices AS other
      ON other.window_start = one.window_start AND one.exchange < other.exchange
    ORDER BY ALL
    """,
    {"hour": hour, "base_asset": base_asset},
).fetchall()

figure, axes = plt.subplots(figsize=(11, 3.5), layout="constrained")
for pair in dict.fromkeys(row[0] for row in spreads):
    points = [(row[1], row[2]) for row in spreads if row[0] == pair]
    axes.plot(*zip(*points, strict=True), marker=".", label=pair)
axes.axhline(0, color="black", linewidth=0.8)
axes.set_ylabel("spread, hundredths of a percent")
axes.set_xlabel("UTC")
if spreads:
    axes.legend(loc="best")
plt.show()
