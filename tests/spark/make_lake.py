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
    digit         with one digit of one price in Gold changed
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from config import Config
from lake import MINUTE_US, NOON_US, Lake, encode, event, trade
from session import open_session
from statements import literal
from tables import (
    BRONZE_DEAD_LETTERS,
    BRONZE_FRAMES,
    GOLD_OHLCV,
    SILVER_FRAMES,
    TABLES,
    definitions,
)

ROOT = Path(__file__).resolve().parents[2]
DAY_US = 1440 * MINUTE_US

#: The trade that is told twice, by the stream and by a backfill.
TOLD_TWICE = "binance:BTCUSDT:115"
KRAKEN = "kraken:BTC/USD"
BINANCE = "binance:BTCUSDT"
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
                connection_id="binance-1",
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
        "connection_id": "binance-2",
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
    earlier = trades_of(range(1, 40), NOON_US - DAY_US)
    middle = [*trades_of(range(40, 500)), *large_trades()]
    lake.take(earlier)
    lake.take(middle)
    first = trades_of([115])[1]
    again = {
        **first,
        "source": "BACKFILL",
        "timestamp": first["timestamp"] + 1,
        "ingestion_timestamp": first["ingestion_timestamp"] + 1,
        "connection_id": "binance-rest-1",
    }
    last = trades_of(range(500, 520))
    aside = trades_of(range(520, 530))
    _take_events(lake)
    _insert_frames(spark, [*earlier, *middle, again, *last, *aside])
    lake.land([b"0", b"1", b"2"], topic="frames", table=BRONZE_FRAMES)
    rows = lake.land([encode(again), b"not a trade", *map(encode, last)])
    rows += lake.land(map(encode, aside), partition=1)
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
    minute = bar.replace("5m", "1m")
    frames = "lake.silver.frames"
    gaps = "UPDATE lake.silver.gaps SET"
    its_frame = f"connection_id = 'kraken-1' AND frame_sequence = {AMONG_OTHERS.split(':')[2]}"
    absent_id = _frame_of(trade(0, frame_sequence=900))
    kraken_gap, binance_gap = f"gap_id = '{KRAKEN}:0'", f"gap_id = '{BINANCE}:0'"
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
        "bronze_offsets.3": ("DELETE FROM lake.bronze.frames WHERE offset = 1",),
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
        "gold_origin.1": (f"{gold} symbol = 'XBT/USD' WHERE {one}",),
        "gold_origin.2": (f"{gold} base_asset = 'XBT' WHERE {one}",),
        "digit": (f"{gold} price = price + {EPSILON} WHERE {one}",),
        "gold_ids.1": (
            "UPDATE lake.silver.coverage SET confirmed_id = 600 WHERE exchange = 'kraken'",
        ),
        "gold_ids.2": (f"{gaps} absent = NULL WHERE {kraken_gap}",),
        "gold_frames.1": (
            f"UPDATE {frames} SET frame = replace(frame, '\"qty\":0', '\"qty\":1')"
            f" WHERE {its_frame}",
        ),
        "gold_frames.2": (f"INSERT INTO {frames} VALUES {absent_id}",),
        "gold_frames.3": (f"DELETE FROM {frames} WHERE {its_frame}",),
        "gold_frames.4": (
            f"UPDATE {frames} SET frame = substring(frame, 1, length(frame) - 1) WHERE {its_frame}",
        ),
        "frame_lost.1": (
            f"DELETE FROM {frames} WHERE connection_id = 'binance-2' AND frame_sequence = 2",
        ),
        "clock_skew.1": (
            f"{gold} ingestion_timestamp = timestamp - INTERVAL 1 SECOND WHERE exchange = 'kraken'",
        ),
        "gold_partitions.1": (f"{gold} exchange_hour = exchange_hour + 1 WHERE {one}",),
        "bar_windows.1": (_insert_bar(bar, "window_start + INTERVAL 1 SECOND"),),
        "bar_windows.2": (f"{bars} window_end = window_end + INTERVAL 1 MINUTE WHERE {bar}",),
        "bar_windows.3": (_insert_bar(bar, "window_start"),),
        "bar_set.1": (f"DELETE FROM lake.gold.ohlcv WHERE {bar}",),
        "bar_set.2": (_insert_bar(bar, "window_start - INTERVAL 5 MINUTE"),),
        "bar_counts.1": (f"{bars} trade_count = trade_count + 1 WHERE {minute}",),
        "bar_prices.1": (f"{bars} open = open + {EPSILON} WHERE {minute}",),
        "bar_prices.2": (f"{bars} last_trade_id = '1' WHERE {bar}",),
        "bar_order.1": (f"{bars} high = low - {EPSILON} WHERE {bar}",),
        "bar_volumes.1": (f"{bars} volume = volume + {EPSILON} WHERE {minute}",),
        "bar_volumes.2": (f"{bars} quote_volume = quote_volume - {EPSILON} WHERE {minute}",),
        "bar_sums.1": (f"{bars} volume = volume + {EPSILON} WHERE {bar}",),
        "bar_sums.2": (f"{bars} trade_count = trade_count - 1 WHERE {bar}",),
        "bar_completeness.1": (f"{bars} is_complete = NOT is_complete WHERE {bar}",),
        "bar_completeness.2": (
            f"UPDATE lake.silver.gaps SET state = 'filled' WHERE {binance_gap}",
        ),
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
    # Kafka had lost what is between them, and a person has accepted it: see the events.
    spark.sql(
        f"INSERT INTO {BRONZE_DEAD_LETTERS.path} SELECT 'market.crypto.dead_letters', 0, offset,"
        f" timestamp_micros({NOON_US}), NULL, X'00' FROM VALUES (0), (1), (7) AS held(offset)"
    )


def _take_events(lake: Lake) -> None:
    """Cover both markets from id 0, which neither has, and confirm them up to 499."""
    binance = {"exchange": "binance", "native_symbol": "BTCUSDT"}
    nothing = {"exchange": "binance", "native_symbol": None}
    at_us = NOON_US + 350_000_000
    id_0 = [{"from_id": 0, "to_id": 0}]
    gap = {"from_id": 0, "to_id": 0, "to_timestamp": NOON_US - DAY_US + 700_000}
    covered = {"from_id": 0, "from_timestamp": NOON_US - DAY_US}
    confirmed = {"through_id": 499, "through_timestamp": at_us}
    sessions = {"kraken-1": "kraken", "binance-1": "binance", "binance-rest-1": "binance"}
    opened = {**sessions, "binance-2": "binance"}
    lake.land_events(
        *(
            event("session_opened", at_us, **{**nothing, "exchange": exchange}, connection_id=name)
            for name, exchange in opened.items()
        ),
        *(
            event("session_closed", at_us, **{**nothing, "exchange": exchange}, connection_id=name)
            for name, exchange in sessions.items()
        ),
        event("coverage", at_us, **covered),
        event("coverage", at_us, **binance, **covered),
        event("gap_absent", at_us, gap_id=f"{KRAKEN}:0", absent=id_0, **gap),
        event("gap_unfillable", at_us, gap_id=f"{BINANCE}:0", unfillable=id_0, **gap, **binance),
        event("confirmed", at_us + 1, **confirmed),
        event("confirmed", at_us + 1, **binance, **confirmed),
        event(
            "offsets_accepted",
            at_us,
            exchange="",
            native_symbol=None,
            gap_id=":market.crypto.dead_letters/0:2",
        ),
    )
    refinery = lake.refinery()
    # One look finds them, the next call takes them.
    for _ in range(2):
        refinery.settle(lake.spark)


def _insert_frames(spark: SparkSession, trades: Iterable[Mapping[str, Any]]) -> None:
    """Put the frames that told the trades into silver.frames, one for each."""
    rows = ", ".join(map(_frame_of, trades))
    spark.sql(f"INSERT INTO {SILVER_FRAMES.path} SELECT /*+ COALESCE(1) */ * FROM VALUES {rows}")


def _frame_of(values: Mapping[str, Any]) -> str:
    """Return a row of silver.frames: the frame or page that told a trade, as its exchange would."""
    number, price, quantity = values["trade_id"], values["price"], values["quantity"]
    symbol, time_us = values["native_symbol"], values["timestamp"]
    is_sell = str(values["side"] == "SELL").lower()
    request = "NULL"
    if values["exchange"] == "kraken":
        time = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=time_us)
        frame = (
            f'{{"channel":"trade","type":"update","data":[{{"symbol":"{symbol}",'
            f'"side":"{values["side"].lower()}","price":{price},"qty":{quantity},'
            f'"ord_type":"limit","trade_id":{number},"timestamp":"{time:%Y-%m-%dT%H:%M:%S.%fZ}"}}]}}'
        )
    elif values["source"] == "BACKFILL":
        request = f"'GET https://binance/api/v3/historicalTrades?symbol={symbol}&fromId={number}'"
        frame = (
            f'[{{"id":{number},"price":"{price}","qty":"{quantity}","time":{time_us},'
            f'"isBuyerMaker":{is_sell},"isBestMatch":true}}]'
        )
    else:
        frame = (
            f'{{"stream":"{symbol.lower()}@trade","data":{{"e":"trade","E":1,"s":"{symbol}",'
            f'"t":{number},"p":"{price}","q":"{quantity}","T":{time_us},"m":{is_sell},"M":true}}}}'
        )
    fields = {
        "exchange": literal(values["exchange"]),
        "connection_id": literal(values["connection_id"]),
        "frame_sequence": f"{values['frame_sequence']}L",
        "direction": "'RECEIVED'",
        "kind": "'MESSAGE'" if request == "NULL" else "'PAGE'",
        "request": f"CAST({request} AS STRING)",
        "received_us": f"timestamp_micros({values['ingestion_timestamp']})",
        "topic": "'frames'",
        "kafka_timestamp": f"timestamp_micros({NOON_US})",
        "frame": literal(frame),
    }
    kinds = {name: kind for name, kind, _ in SILVER_FRAMES.columns}
    columns = (fields.get(name, f"CAST(NULL AS {kinds[name]})") for name in kinds)
    return f"({', '.join(columns)})"


def _main_snapshot(spark: SparkSession, table: str) -> int:
    return int(spark.sql(f"SELECT snapshot_id FROM {table}.refs WHERE name = 'main'").first()[0])


def _table_of(statement: str) -> str:
    return next(word for word in statement.split() if word.startswith("lake."))


@contextmanager
def spark_on(catalog: Path, warehouse: Path) -> Iterator[SparkSession]:
    """Open a session on a lake of files that nobody else writes to."""
    with tempfile.TemporaryDirectory() as temp_dir:
        config = Config(
            bootstrap_servers="127.0.0.1:9",
            trade_topics=("trades",),
            schema_registry_url="http://127.0.0.1:9",
            catalog_uri=f"jdbc:sqlite:{catalog}",
            warehouse=f"file://{warehouse}",
            checkpoint_dir=f"{temp_dir}/checkpoints",
            temp_dir=temp_dir,
            jars_dir=str(ROOT / ".setup" / "spark"),
            master="local[1]",
        )
        spark = open_session(config)
        try:
            yield spark
        finally:
            spark.stop()


def main(folder: Path) -> None:
    """Make everything in a folder that does not exist yet."""
    folder.mkdir(parents=True)
    with spark_on(folder / "catalog.db", folder / "warehouse") as spark:
        lake = build(spark, folder)
        let_expire(lake, folder)
        plant_faults(lake, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
