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
# # Your own analysis
#
# `connect()` is all there is to it, here and in a notebook or program of yours anywhere else:
#
# ```
# pip install -r spark/k2_lake/requirements.txt pandas
# PYTHONPATH=…/spark K2_DATA_DIR=…/.k2 python your_program.py
# ```
#
# It gives a DuckDB connection with every table by its name, as it was at that instant. Prices are
# `DECIMAL(38,18)` and come to Python as `Decimal`; `.df()` makes floats of them, good enough to
# draw.

# %%
from k2_lake import connect

lake = connect()

# %% [markdown]
# Which columns there are, and what they are:

# %%
columns = lake.sql("DESCRIBE gold.trades")
columns

# %% [markdown]
# A question in SQL, and its answer as a DataFrame: how large the trades of each market are.

# %%
sizes = lake.sql("""
    SELECT exchange, symbol, count(*) AS trades,
           quantile_disc(quote_quantity, 0.5) AS median_size,
           max(quote_quantity) AS largest
    FROM gold.trades
    GROUP BY exchange, symbol
    ORDER BY trades DESC, exchange, symbol
""").df()
sizes

# %% [markdown]
# Now yours. `lake = connect()` again sees what has come meanwhile.
