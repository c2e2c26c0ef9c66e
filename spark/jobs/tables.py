"""Every table of the lake: its grain, its columns with their meaning, how it is partitioned.

Pure: this file only writes SQL text. Layers are defined by what they may do: Bronze holds Kafka's
records and no opinion, Silver decides which of them are trades, Gold holds each trade once and the
bars made of them. Times are timestamps with time zone (UTC).
"""

from __future__ import annotations

from dataclasses import dataclass

from trade_schema import Column, trade_columns

CATALOG = "lake"
NAMESPACES = ("bronze", "silver", "gold")

PRICE = "DECIMAL(38,18)"

_KAFKA_POSITION: tuple[Column, ...] = (
    ("topic", "STRING", "Kafka topic of the record."),
    ("partition", "INT", "Kafka partition of the record."),
    ("offset", "BIGINT", "Kafka offset of the record; with topic and partition it is its key."),
    ("kafka_timestamp", "TIMESTAMP", "When the record was produced to Kafka."),
)

_BRONZE: tuple[Column, ...] = (
    *_KAFKA_POSITION,
    ("key", "BINARY", "Kafka key, untouched."),
    ("value", "BINARY", "Kafka value, untouched."),
)

_SILVER_TRADES: tuple[Column, ...] = (
    *trade_columns(),
    ("quote_quantity", PRICE, "price x quantity, exact; units of the quote asset."),
    *_KAFKA_POSITION,
)

_QUARANTINE: tuple[Column, ...] = (
    *_KAFKA_POSITION,
    ("reason", "STRING", "Why the record is not a valid trade: a code from a closed list."),
    ("value", "BINARY", "Kafka value, untouched."),
)

_GOLD_TRADES: tuple[Column, ...] = (
    *_SILVER_TRADES,
    ("exchange_date", "DATE", "Day of timestamp, UTC."),
    ("exchange_hour", "INT", "Hour of timestamp, UTC, 0 to 23."),
)

_OHLCV: tuple[Column, ...] = (
    ("exchange", "STRING", "Where it traded, in lower case."),
    ("symbol", "STRING", "BASE/QUOTE."),
    ("native_symbol", "STRING", "The exchange's own name of the market."),
    ("interval", "STRING", "Length of the window: 1m, 5m, 15m, 30m, 1h, 4h or 1d."),
    ("window_start", "TIMESTAMP", "First instant of the window, UTC, inclusive."),
    ("window_end", "TIMESTAMP", "First instant after the window, UTC."),
    ("open", PRICE, "Price of the first trade by (timestamp, numeric trade id)."),
    ("high", PRICE, "Highest price."),
    ("low", PRICE, "Lowest price."),
    ("close", PRICE, "Price of the last trade by (timestamp, numeric trade id)."),
    ("volume", PRICE, "Exact sum of quantity; NULL where 38 digits cannot hold it."),
    ("quote_volume", PRICE, "Exact sum of quote_quantity; NULL where 38 digits cannot hold it."),
    ("vwap", PRICE, "quote_volume / volume, rounded half up to 18 decimals."),
    ("trade_count", "BIGINT", "Number of trades."),
    ("first_trade_id", "STRING", "trade_id of the trade that gives open."),
    ("last_trade_id", "STRING", "trade_id of the trade that gives close."),
    ("is_complete", "BOOLEAN", "No trade of the window is missing or still to come."),
    ("updated_at", "TIMESTAMP", "When this row was last computed."),
)


@dataclass(frozen=True)
class Table:
    """One Iceberg table."""

    #: `namespace.table`.
    name: str
    #: What one row is.
    grain: str
    columns: tuple[Column, ...]
    partitioned_by: str

    @property
    def path(self) -> str:
        """Name with the catalog in front, as SQL wants it."""
        return f"{CATALOG}.{self.name}"

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in their order."""
        return tuple(name for name, _, _ in self.columns)


BRONZE_TRADES = Table(
    "bronze.trades", "One Kafka record of a trade topic.", _BRONZE, "days(kafka_timestamp)"
)
BRONZE_DEAD_LETTERS = Table(
    "bronze.dead_letters",
    "One Kafka record of the dead-letter topic.",
    _BRONZE,
    "days(kafka_timestamp)",
)
SILVER_TRADES = Table(
    "silver.trades",
    "One decodable, valid trade record; a trade may be here twice.",
    _SILVER_TRADES,
    "days(timestamp)",
)
SILVER_QUARANTINE = Table(
    "silver.quarantine",
    "One Bronze record that is not a valid trade.",
    _QUARANTINE,
    "days(kafka_timestamp)",
)
GOLD_TRADES = Table(
    "gold.trades",
    "One trade: exactly one row for each message_id.",
    _GOLD_TRADES,
    "exchange_date, exchange_hour",
)
GOLD_OHLCV = Table(
    "gold.ohlcv",
    "One bar: (exchange, native_symbol, interval, window_start).",
    _OHLCV,
    "`interval`, days(window_start)",
)

TABLES = (
    BRONZE_TRADES,
    BRONZE_DEAD_LETTERS,
    SILVER_TRADES,
    SILVER_QUARANTINE,
    GOLD_TRADES,
    GOLD_OHLCV,
)

#: Readers open a table by a metadata file and hold it for a while, so 200 old ones are kept: at a
#: commit every three seconds that is ten minutes. Twenty retries, because maintenance commits to
#: the same tables as the queries. No distribution and open writers for every partition: a live
#: batch is small, and a sort before the write would cost more than it saves.
PROPERTIES = {
    "format-version": "2",
    "write.delete.mode": "copy-on-write",
    "write.update.mode": "copy-on-write",
    "write.merge.mode": "copy-on-write",
    "write.parquet.compression-codec": "zstd",
    "write.distribution-mode": "none",
    "write.merge.distribution-mode": "none",
    "write.spark.fanout.enabled": "true",
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "200",
    "commit.retry.num-retries": "20",
    "commit.retry.min-wait-ms": "50",
    "commit.retry.max-wait-ms": "5000",
}


def definitions() -> tuple[str, ...]:
    """Return the statements that create what is missing, in order."""
    namespaces = (f"CREATE NAMESPACE IF NOT EXISTS {CATALOG}.{name}" for name in NAMESPACES)
    return (*namespaces, *(_definition(table) for table in TABLES))


def _definition(table: Table) -> str:
    columns = ",\n".join(
        f"  `{name}` {sql_type} COMMENT {_text(comment)}"
        for name, sql_type, comment in table.columns
    )
    properties = ", ".join(f"{_text(name)} = {_text(value)}" for name, value in PROPERTIES.items())
    return (
        f"CREATE TABLE IF NOT EXISTS {table.path} (\n{columns}\n) USING iceberg\n"
        f"PARTITIONED BY ({table.partitioned_by})\n"
        f"COMMENT {_text(table.grain)}\nTBLPROPERTIES ({properties})"
    )


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
