"""A lake to test with: trades to put into Bronze, and what came of them.

Bars are computed here a second time, in Python's decimal and by plain loops, as the judge of those
that Spark computes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, NamedTuple

from pyspark.sql import DataFrame, Row, SparkSession

from avro_encoding import confluent, record
from positions import Positions
from record_schema import record_schema, trade_schema
from refine import OFFSETS_MAX, Refined, Refinery
from tables import BRONZE_EVENTS, BRONZE_TRADES, GOLD_OHLCV, GOLD_TRADES, Table

TOPIC = "trades"
SCHEMA_ID = 7
EVENT_TOPIC = "events"
EVENT_SCHEMA_ID = 9
#: An option of the JVM that changes nothing, but is seen.
JAVA_OPTION = "-Dk2.option=given"
#: 2026-08-26T12:00:00Z.
NOON_US = 1_787_745_600_000_000
MINUTE_US = 60_000_000
INTERVALS_S = {
    "1m": 60,
    "5m": 300,
    "15m": 900,
    "30m": 1800,
    "1h": 3600,
    "4h": 14_400,
    "1d": 86_400,
}
EXACT = Context(prec=200)

#: exchange, native_symbol, interval, window_start in microseconds.
BarKey = tuple[str, str, str, int]


def trade(number: int, **values: Any) -> dict[str, Any]:
    """Return a valid trade, one second after the one with the number before."""
    given = {
        "exchange": "kraken",
        "native_symbol": "BTC/USD",
        "trade_id": str(number),
        "symbol": "BTC/USD",
        "base_asset": "BTC",
        "quote_asset": "USD",
        "side": "BUY" if number % 2 else "SELL",
        "price": f"{60_000 + number % 7}.{number % 10}",
        "quantity": f"0.{number % 9 + 1:08d}",
        "timestamp": NOON_US + number * 1_000_000,
        "source": "STREAM",
        "connection_id": "kraken-1",
        "frame_sequence": number,
        "vendor_data": {"ord_type": "limit"},
    } | values
    key = f"{given['exchange']}:{given['native_symbol']}:{given['trade_id']}"
    return {"message_id": key, "ingestion_timestamp": given["timestamp"] + 5_000} | given


def encode(values: Mapping[str, Any], schema_id: int = SCHEMA_ID) -> bytes:
    """Return the Kafka value of a trade."""
    return confluent(schema_id, record(trade_schema(), values))


def event(kind: str, timestamp: int, **values: Any) -> bytes:
    """Return the Kafka value of an event of kraken's BTC/USD."""
    market = {"exchange": "kraken", "native_symbol": "BTC/USD"}
    nothing = {field["name"]: None for field in record_schema("event")["fields"]}
    given = {**nothing, **market, "event": kind, "timestamp": timestamp, **values}
    return confluent(EVENT_SCHEMA_ID, record(record_schema("event"), given))


class Registry:
    """A registry that knows some schemas and counts how often it is asked."""

    def __init__(self, schemas: Mapping[int, str] | None = None) -> None:
        known = {SCHEMA_ID: trade_schema(), EVENT_SCHEMA_ID: record_schema("event")}
        self.schemas = dict(schemas or {i: json.dumps(schema) for i, schema in known.items()})
        self.asked: list[int] = []

    def schema(self, schema_id: int) -> str | None:
        """Return what a registry would."""
        self.asked.append(schema_id)
        return self.schemas.get(schema_id)


class BronzeRow(NamedTuple):
    """One row of a Bronze table."""

    topic: str
    partition: int
    offset: int
    #: Microseconds since 1970.
    kafka_us: int
    key: bytes
    value: bytes | None


def bronze_frame(spark: SparkSession, rows: Iterable[BronzeRow]) -> DataFrame:
    """Return rows of Bronze as Spark has them.

    They are written as SQL, because Spark reads what Python hands over by processes of Python, and
    those cost more than all that is tested.
    """
    empty = "('', 0, 0L, timestamp_micros(0), X'', CAST(NULL AS BINARY))"
    values = [
        f"('{row.topic}', {row.partition}, {row.offset}L, timestamp_micros({row.kafka_us}),"
        f" {_bytes(row.key)}, {_bytes(row.value)})"
        for row in rows
    ]
    frame = spark.sql(
        f"SELECT * FROM VALUES {', '.join([empty, *values])}"
        " AS bronze(topic, partition, offset, kafka_timestamp, key, value)"
    )
    return frame.where("topic <> ''")


def _bytes(value: bytes | None) -> str:
    return "NULL" if value is None else f"X'{value.hex()}'"


class Lake:
    """The tables of one test, and a Bronze that grows by calls."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        self.registry = Registry()
        #: What Kafka says of its topics of trades.
        self.trade_ends: Positions = {}
        self._offsets: dict[tuple[str, int], int] = {}

    def refinery(
        self, boundary: Callable[[str], None] = lambda _: None, offsets_max: int = OFFSETS_MAX
    ) -> Refinery:
        """Return what a start of the query makes."""
        return Refinery(self.spark, self.registry, lambda: self.trade_ends, boundary, offsets_max)

    def land(
        self,
        values: Iterable[bytes | None],
        partition: int = 0,
        *,
        topic: str = TOPIC,
        table: Table = BRONZE_TRADES,
    ) -> list[BronzeRow]:
        """Append records to Bronze in one commit and return them."""
        rows = []
        for value in values:
            offset = self._offsets.get((topic, partition), 0)
            self._offsets[topic, partition] = offset + 1
            produced_us = NOON_US + offset * 1_000
            rows.append(BronzeRow(topic, partition, offset, produced_us, b"key", value))
        bronze_frame(self.spark, rows).coalesce(1).writeTo(table.path).append()
        return rows

    def land_events(self, *events: bytes) -> None:
        """Append events to Bronze."""
        self.land(events, topic=EVENT_TOPIC, table=BRONZE_EVENTS)

    def skip(self, offsets: int, partition: int = 0) -> None:
        """Leave out offsets, as if Kafka had lost them."""
        self._offsets[TOPIC, partition] = self._offsets.get((TOPIC, partition), 0) + offsets

    def batch(self, rows: Iterable[BronzeRow]) -> DataFrame:
        """Return rows of Bronze as the stream would hand them over."""
        return bronze_frame(self.spark, rows)

    def take(
        self, trades: Iterable[Mapping[str, Any]], refinery: Refinery | None = None
    ) -> Refined:
        """Land trades and refine them."""
        rows = self.land([encode(values) for values in trades])
        return (refinery or self.refinery()).refine(self.batch(rows))

    def rows(self, table: str, order: str = "1") -> list[Row]:
        """Return all rows of a table."""
        return self.spark.sql(f"SELECT * FROM lake.{table} ORDER BY {order}").collect()

    def quarantined(self) -> dict[int, str]:
        """Return the reason by offset."""
        return {row.offset: row.reason for row in self.rows("silver.quarantine")}

    def gold_trades(self) -> list[tuple[Any, ...]]:
        """Return the market columns of gold.trades, in a fixed order."""
        names = [n for n in GOLD_TRADES.column_names if n not in _NOT_MARKET]
        query = f"SELECT {', '.join(names)} FROM {GOLD_TRADES.path} ORDER BY message_id"
        return [tuple(row) for row in self.spark.sql(query).collect()]

    def bars(self) -> dict[BarKey, tuple[Any, ...]]:
        """Return the bars by key, without `updated_at`."""
        names = [n for n in GOLD_OHLCV.column_names if n != "updated_at"]
        times = {"window_start", "window_end"}
        columns = [f"unix_micros({n}) AS {n}" if n in times else f"`{n}`" for n in names]
        rows = self.spark.sql(f"SELECT {', '.join(columns)} FROM {GOLD_OHLCV.path}").collect()
        bars = {_key(row): tuple(row[name] for name in BAR_COLUMNS) for row in rows}
        assert len(bars) == len(rows), "a bar is there twice"
        return bars

    def complete(self, interval: str = "1m") -> list[int]:
        """Return where the complete bars of an interval begin, in minutes from noon."""
        return sorted(
            (start - NOON_US) // MINUTE_US
            for (_, _, name, start), bar in self.bars().items()
            if name == interval and bar[-1]
        )

    def snapshots(self, table: str) -> list[Positions | None]:
        """Return what each commit to a table says it has consumed, oldest first."""
        rows = self.spark.sql(
            f"SELECT summary['k2.consumed'] AS text FROM lake.{table}.snapshots"
            " ORDER BY committed_at"
        ).collect()
        return [json.loads(row.text) if row.text else None for row in rows]


_NOT_MARKET = {"vendor_data", "topic", "partition", "offset", "kafka_timestamp"}

BAR_COLUMNS = (
    *("symbol", "window_end", "open", "high", "low", "close", "volume", "quote_volume", "vwap"),
    *("trade_count", "first_trade_id", "last_trade_id", "is_complete"),
)


def _key(row: Row) -> BarKey:
    return (row.exchange, row.native_symbol, row.interval, row.window_start)


@dataclass(frozen=True)
class _Bar:
    trades: tuple[Mapping[str, Any], ...] = ()


def expected_bars(
    trades: Iterable[Mapping[str, Any]],
    is_complete: Callable[[BarKey, int], bool] = lambda *_: False,
) -> dict[BarKey, tuple[Any, ...]]:
    """Compute all bars from the trades themselves, each message_id once.

    Args:
        trades: what was sent.
        is_complete: says so of a bar, by its key and the microsecond in which its window ends.

    """
    found: dict[BarKey, _Bar] = {}
    for values in {values["message_id"]: values for values in trades}.values():
        for interval, seconds in INTERVALS_S.items():
            start = values["timestamp"] // (seconds * 1_000_000) * seconds * 1_000_000
            key = (values["exchange"], values["native_symbol"], interval, start)
            bar = found.get(key, _Bar())
            found[key] = replace(bar, trades=(*bar.trades, values))
    return {
        key: (*bar_of, is_complete(key, bar_of[1]))
        for key, bar in found.items()
        for bar_of in [_expected_bar(key, bar.trades)]
    }


def _expected_bar(key: BarKey, trades: Iterable[Mapping[str, Any]]) -> tuple[Any, ...]:
    ordered = sorted(trades, key=lambda t: (t["timestamp"], int(t["trade_id"])))
    prices = [Decimal(t["price"]) for t in ordered]
    volume = quote_volume = Decimal(0)
    for values in ordered:
        volume = EXACT.add(volume, Decimal(values["quantity"]))
        product = EXACT.multiply(Decimal(values["price"]), Decimal(values["quantity"]))
        quote_volume = EXACT.add(quote_volume, product)
    vwap = EXACT.divide(quote_volume, volume).quantize(
        Decimal(1).scaleb(-18), rounding=ROUND_HALF_UP, context=EXACT
    )
    return (
        *(ordered[0]["symbol"], key[3] + INTERVALS_S[key[2]] * 1_000_000),
        *(prices[0], max(prices), min(prices), prices[-1], volume, quote_volume, vwap),
        *(len(ordered), ordered[0]["trade_id"], ordered[-1]["trade_id"]),
    )
