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
# # How good the data are
#
# What is missing, which connections brought it, how complete the bars are, and how long a trade
# takes from the exchange to us, to Kafka and into Gold. `bun run validate` is the judge of whether
# the lake holds; here is what it is like.

# %%
import matplotlib.pyplot as plt

from k2_lake import connect

lake = connect()

# %% [markdown]
# ## Coverage
#
# From `from_timestamp` on every missing id is a gap; up to `confirmed_timestamp` every trade is
# there, or in a gap that is known.

# %%
lake.sql("""
    SELECT exchange, native_symbol, from_timestamp, confirmed_timestamp, from_id, confirmed_id
    FROM silver.coverage
    ORDER BY ALL
""")

# %% [markdown]
# ## Gaps
#
# `filled`: fetched over REST. `absent`: the exchange never had these ids. `unfillable`: it can no
# longer give them. An open or unfillable gap leaves its bars incomplete.

# %%
gaps = lake.execute("""
    SELECT exchange, coalesce(native_symbol, 'all') AS native_symbol, state, count(*) AS gaps,
           coalesce(sum(to_id - from_id + 1), 0)::BIGINT AS ids,
           max(ended_timestamp - opened_timestamp) AS longest
    FROM silver.gaps
    GROUP BY ALL
    ORDER BY ALL
""").fetchall()
gaps

# %% [markdown]
# ## Sessions
#
# One line for each of the last fifty connections, from the instant it was opened; an open end is
# one that still runs, or was ended by force.

# %%
sessions = lake.execute("""
    SELECT exchange, connection_id, opened_timestamp,
           coalesce(closed_timestamp, max(coalesce(closed_timestamp, opened_timestamp)) OVER ())
             AS until,
           state, reason
    FROM silver.sessions
    QUALIFY row_number() OVER (ORDER BY opened_timestamp DESC) <= 50
    ORDER BY exchange, opened_timestamp
""").fetchall()

figure, axes = plt.subplots(figsize=(11, 1 + 0.3 * len(sessions)), layout="constrained")
colors = {name: f"C{i}" for i, name in enumerate(dict.fromkeys(row[0] for row in sessions))}
for place, (exchange, _, opened, until, state, _) in enumerate(sessions):
    marker = "|" if state == "closed" else ">"
    axes.plot([opened, until], [place, place], color=colors[exchange], marker=marker)
axes.set_yticks(range(len(sessions)), [f"{row[0]} {row[1][-8:]}" for row in sessions])
axes.set_xlabel("UTC")
plt.show()

# %% [markdown]
# ## Complete bars
#
# Of each hour the share of one-minute bars that are complete: no trade of theirs is missing or
# still to come. The last ones of a running platform are not, yet.

# %%
complete = lake.execute("""
    SELECT exchange, native_symbol, time_bucket(INTERVAL 1 HOUR, window_start) AS hour,
           count(*) AS bars, count(*) FILTER (WHERE is_complete) AS complete
    FROM gold.ohlcv
    WHERE interval = '1m'
    GROUP BY ALL
    ORDER BY ALL
""").fetchall()

figure, axes = plt.subplots(figsize=(11, 3.5), layout="constrained")
for market in dict.fromkeys(row[:2] for row in complete):
    points = [(row[2], 100 * row[4] / row[3]) for row in complete if row[:2] == market]
    axes.plot(*zip(*points, strict=True), marker=".", label=" ".join(market))
axes.set_ylabel("complete bars, percent")
axes.set_ylim(-3, 103)
axes.set_xlabel("UTC")
axes.legend(loc="best")
plt.show()

# %% [markdown]
# ## From the exchange to Gold
#
# Of trades that were pushed to us: from the exchange's own time to receipt, from there into Kafka,
# and from there to the commit that shows it in Gold. `k2.commits` says when each commit was and how
# far it reached; it knows as many of them as gold.trades has snapshots, an hour's at least. A
# negative first step says that a clock is wrong.

# %%
steps = ("to_receipt", "to_kafka", "to_gold")
percents = list(range(1, 100))
delays = lake.execute(
    """
    WITH commits AS (
        SELECT topic, "partition", next_offset, min(committed_at) AS committed_at
        FROM k2.commits
        GROUP BY ALL
    ),
    steps AS (
        SELECT g.exchange,
               epoch_us(g.ingestion_timestamp) - epoch_us(g.timestamp) AS to_receipt,
               epoch_us(g.kafka_timestamp) - epoch_us(g.ingestion_timestamp) AS to_kafka,
               epoch_us(c.committed_at) - epoch_us(g.kafka_timestamp) AS to_gold
        FROM gold.trades AS g
        ASOF JOIN commits AS c
          ON g.topic = c.topic AND g.partition = c.partition AND g."offset" < c.next_offset
        WHERE g.source = 'STREAM'
          -- What the first commit that is known shows may have been there before.
          AND c.committed_at > (SELECT min(committed_at) FROM commits)
    )
    SELECT exchange, step, count(*) AS trades,
           list_transform(quantile_cont(us, $fractions), us -> us / 1e6) AS seconds
    FROM (UNPIVOT steps ON to_receipt, to_kafka, to_gold INTO NAME step VALUE us)
    GROUP BY exchange, step
    ORDER BY ALL
    """,
    {"fractions": [percent / 100 for percent in percents]},
).fetchall()

figure, axes = plt.subplots(1, len(steps), figsize=(11, 3.5), sharey=True, layout="constrained")
for step, plot in zip(steps, axes, strict=True):
    for exchange, _, _, seconds in (row for row in delays if row[1] == step):
        plot.plot(seconds, percents, label=exchange)
    plot.set_title(step.replace("_", " "))
    plot.set_xlabel("seconds")
    plot.grid(visible=True, alpha=0.3)
axes[0].set_ylabel("percent of trades")
if delays:
    axes[0].legend(loc="best")
plt.show()
medians = {(exchange, step): round(seconds[49], 3) for exchange, step, _, seconds in delays}
medians

# %% [markdown]
# ## Freshness
#
# How long ago the newest trade of each market happened, as Gold shows it.

# %%
fresh = lake.execute("""
    SELECT exchange, native_symbol, max(timestamp) AS newest, now() - max(timestamp) AS age
    FROM gold.trades
    GROUP BY ALL
    ORDER BY ALL
""").fetchall()
fresh
