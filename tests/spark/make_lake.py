"""Makes a small real lake, and copies of it with one fault each, for the tests that read lakes.

    PYTHONPATH=spark/jobs python tests/spark/make_lake.py FOLDER

Spark's own code takes trades of two exchanges through Bronze, Silver and Gold. A copy is a catalog
of its own, `FOLDER/<name>/lake/catalog.db`, over the same files: no file of an Iceberg table ever
changes, so that a table's state is the one metadata file that its catalog names. Once a fault has
been planted and its catalog copied, the tables are rolled back.

    empty         the tables, before the first batch
    before_<...>  taken in the middle of the last batch, when it came to that table
    whole         every batch done, and Bronze a record ahead
    retained      the same, with earlier rows of Bronze and Silver no longer kept
    <check>.<n>   with a fault that the check of that name is for
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from config import Config
from lake import MINUTE_US, NOON_US, Lake, encode, trade
from session import open_session
from tables import BRONZE_DEAD_LETTERS, GOLD_OHLCV, SILVER_GAPS, TABLES, definitions

ROOT = Path(__file__).resolve().parents[2]
DAY_US = 1440 * MINUTE_US

#: The trade that is told twice, by the stream and by a backfill.
TOLD_TWICE = "binance:BTCUSDT:115"
#: A trade in the middle of its minute, which gives no bar its open, high, low or close.
AMONG_OTHERS = "kraken:BTC/USD:133"
EPSILON = "CAST(0.000000000000000001 AS DECIMAL(38,18))"


def trades_of(numbers: Iterable[int], start_us: int = NOON_US) -> list[dict[str, Any]]:
    """Return a trade of each exchange for each number."""
    trades = []
    for number in numbers:
        timestamp = start_us + number * 700_000
        trades.append(trade(number, timestamp=timestamp))
        trades.append(
            trade(
                number,
                exchange="binance",
                native_symbol="BTCUSDT",
                symbol="BTC/USDT",
                quote_asset="USDT",
                price=f"{59_990 + number * 7 % 31}.{number % 100:02d}",
                quantity=f"0.{number % 97 + 1:05d}",
                timestamp=timestamp + 123_456,
            )
        )
    return trades


def large_trades() -> list[dict[str, Any]]:
    """Return trades whose sums and products need all digits of DECIMAL(38,18)."""
    market = {
        "exchange": "binance",
        "native_symbol": "SHIBBTC",
        "symbol": "SHIB/BTC",
        "base_asset": "SHIB",
        "quote_asset": "BTC",
    }
    sizes = {
        1: ("0.000000000000000001", "90000000000000000000"),
        2: ("0.000000000000000003", "9999999999999999999"),
        3: ("1.000000001", "0.999999999"),
        # A minute later: from here on no type holds the volume of the longer bars.
        61: ("12345678901.123456789", "0.000000003"),
    }
    return [
        trade(number, price=price, quantity=quantity, **market)
        for number, (price, quantity) in sizes.items()
    ]


def build(spark: SparkSession, folder: Path) -> Lake:
    """Fill the session's lake; leave copies from before, during and after the last batch."""
    for table in TABLES:
        spark.sql(f"DROP TABLE IF EXISTS {table.path}")
    for definition in definitions():
        spark.sql(definition)
    _copy(spark, folder / "empty")

    lake = Lake(spark)
    lake.take(trades_of(range(1, 40), NOON_US - DAY_US))
    lake.take([*trades_of(range(40, 500)), *large_trades()])
    first = trades_of([115])[1]
    again = {
        **first,
        "source": "BACKFILL",
        "timestamp": first["timestamp"] + 1,
        "connection_id": "binance-rest-1",
    }
    rows = lake.land([encode(again), b"not a trade", *map(encode, trades_of(range(500, 520)))])
    rows += lake.land(map(encode, trades_of(range(520, 530))), partition=1)
    _land_dead_letters(spark)
    refinery = lake.refinery(lambda table: _copy(spark, folder / f"before_{table}"))
    refinery.refine(lake.batch(rows))
    lake.land([encode(trade(9000))])
    _copy(spark, folder / "whole")
    return lake


def let_expire(lake: Lake, folder: Path) -> None:
    """Leave a copy of which Bronze's first 20 records, and Silver's, are gone."""
    spark = lake.spark
    kept = {
        "lake.bronze.trades": "2026-08-26T12:00:00.020Z",
        "lake.silver.trades": "2026-08-26T00:00:00Z",
    }
    before = {table: _main_snapshot(spark, table) for table in kept}
    for table, instant in kept.items():
        spark.sql(f"ALTER TABLE {table} SET TBLPROPERTIES ('k2.retained_from' = '{instant}')")
        spark.sql(f"DELETE FROM {table} WHERE partition = 0 AND offset < 20")
    _copy(spark, folder / "retained")
    for table, snapshot in before.items():
        spark.sql(f"CALL lake.system.set_current_snapshot('{table}', {snapshot})")
        spark.sql(f"ALTER TABLE {table} UNSET TBLPROPERTIES ('k2.retained_from')")


def plant_faults(lake: Lake, folder: Path) -> None:
    """Leave a copy of the lake for each fault."""
    spark = lake.spark
    for name, statements in faults().items():
        before = {table: _main_snapshot(spark, table) for table in map(_table_of, statements)}
        for text in statements:
            spark.sql(text)
        _copy(spark, folder / name)
        for table, snapshot in before.items():
            spark.sql(f"CALL lake.system.set_current_snapshot('{table}', {snapshot})")
    lake.refinery().refine(lake.batch(lake.land([b"not", b"trades", b"either"])))
    _copy(spark, folder / "quarantine_rate.1")


def faults() -> Mapping[str, tuple[str, ...]]:
    """Return what is planted, by the name of the check that must find it."""
    bar = (
        "exchange = 'kraken' AND interval = '5m'"
        " AND window_start = TIMESTAMP '2026-08-26 12:00:00Z'"
    )
    twice = f"message_id = '{TOLD_TWICE}' AND source = 'BACKFILL'"
    silver = "UPDATE lake.silver.trades SET"
    gold = "UPDATE lake.gold.trades SET"
    bars = "UPDATE lake.gold.ohlcv SET"
    one = f"message_id = '{AMONG_OTHERS}'"
    return {
        "bronze_offsets.1": (
            "INSERT INTO lake.bronze.trades SELECT * FROM lake.bronze.trades"
            " WHERE partition = 0 AND offset = 5",
        ),
        "bronze_offsets.2": (
            "DELETE FROM lake.bronze.trades WHERE CAST(value AS STRING) = 'not a trade'",
            "DELETE FROM lake.silver.quarantine WHERE true",
        ),
        "silver_conservation.1": ("DELETE FROM lake.silver.quarantine WHERE true",),
        "silver_conservation.2": (
            f"INSERT INTO lake.silver.trades SELECT * FROM lake.silver.trades WHERE {twice}",
        ),
        "silver_conflicts.1": (f"{silver} side = 'SELL' WHERE {twice}",),
        "silver_conflicts.2": (
            f"{silver} timestamp = timestamp + INTERVAL '0.000001' SECOND WHERE {twice}",
        ),
        "silver_products.1": (
            f"{silver} quote_quantity = quote_quantity + {EPSILON} WHERE {twice}",
        ),
        "gold_unique.1": (
            f"INSERT INTO lake.gold.trades SELECT * FROM lake.gold.trades WHERE {one}",
        ),
        "gold_completeness.1": (
            f"{silver} message_id = 'binance:BTCUSDT:9000', trade_id = '9000' WHERE {twice}",
        ),
        "gold_origin.1": (f"{gold} price = price + {EPSILON} WHERE {one}",),
        "gold_origin.2": (f"{gold} side = IF(side = 'BUY', 'SELL', 'BUY') WHERE {one}",),
        "gold_partitions.1": (f"{gold} exchange_hour = exchange_hour + 1 WHERE {one}",),
        "bar_windows.1": (_insert_bar(bar, "window_start + INTERVAL 1 SECOND"),),
        "bar_windows.2": (f"{bars} window_end = window_end + INTERVAL 1 MINUTE WHERE {bar}",),
        "bar_windows.3": (_insert_bar(bar, "window_start"),),
        "bar_set.1": (f"DELETE FROM lake.gold.ohlcv WHERE {bar}",),
        "bar_set.2": (_insert_bar(bar, "window_start - INTERVAL 5 MINUTE"),),
        "bar_counts.1": (f"{bars} trade_count = trade_count + 1 WHERE {bar}",),
        "bar_prices.1": (f"{bars} open = open + {EPSILON} WHERE {bar}",),
        "bar_prices.2": (f"{bars} last_trade_id = '1' WHERE {bar}",),
        "bar_order.1": (f"{bars} high = low - {EPSILON} WHERE {bar}",),
        "bar_volumes.1": (f"{bars} volume = volume + {EPSILON} WHERE {bar}",),
        "bar_volumes.2": (f"{bars} quote_volume = quote_volume - {EPSILON} WHERE {bar}",),
        "bar_vwap.1": (f"{bars} vwap = vwap + {EPSILON} WHERE {bar}",),
    }


def _copy(spark: SparkSession, data_dir: Path) -> None:
    """Copy the session's catalog into a data directory."""
    catalog = spark.conf.get("spark.sql.catalog.lake.uri").removeprefix("jdbc:sqlite:")
    (data_dir / "lake").mkdir(parents=True)
    with (
        closing(sqlite3.connect(catalog)) as source,
        closing(sqlite3.connect(data_dir / "lake" / "catalog.db")) as target,
    ):
        source.backup(target)


def _insert_bar(where: str, window_start: str) -> str:
    start = f"({window_start})"
    values = {"window_start": start, "window_end": f"{start} + INTERVAL 5 MINUTE"}
    columns = (values.get(name, f"`{name}`") for name in GOLD_OHLCV.column_names)
    return (
        f"INSERT INTO lake.gold.ohlcv SELECT {', '.join(columns)}"
        f" FROM lake.gold.ohlcv WHERE {where}"
    )


def _land_dead_letters(spark: SparkSession) -> None:
    spark.sql(
        f"INSERT INTO {BRONZE_DEAD_LETTERS.path} SELECT 'market.crypto.dead_letters', 0, offset,"
        f" timestamp_micros({NOON_US}), NULL, X'00' FROM VALUES (0), (1), (7) AS held(offset)"
    )
    # Kafka had lost what is between them, and a person has accepted it.
    values = {
        "gap_id": "':market.crypto.dead_letters/0:2'",
        "exchange": "''",
        "state": "'unfillable'",
    }
    columns = ", ".join(values.get(name, "NULL") for name in SILVER_GAPS.column_names)
    spark.sql(f"INSERT INTO {SILVER_GAPS.path} SELECT {columns}")


def _main_snapshot(spark: SparkSession, table: str) -> int:
    return int(spark.sql(f"SELECT snapshot_id FROM {table}.refs WHERE name = 'main'").first()[0])


def _table_of(statement: str) -> str:
    return next(word for word in statement.split() if word.startswith("lake."))


def main(folder: Path) -> None:
    """Make everything in a folder that does not exist yet."""
    folder.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as temp_dir:
        config = Config(
            bootstrap_servers="127.0.0.1:9",
            trade_topics=("trades",),
            schema_registry_url="http://127.0.0.1:9",
            catalog_uri=f"jdbc:sqlite:{folder}/catalog.db",
            warehouse=f"file://{folder}/warehouse",
            checkpoint_dir=f"{folder}/checkpoints",
            temp_dir=temp_dir,
            jars_dir=str(ROOT / ".setup" / "spark"),
            master="local[1]",
        )
        spark = open_session(config)
        try:
            lake = build(spark, folder)
            let_expire(lake, folder)
            plant_faults(lake, folder)
        finally:
            spark.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
