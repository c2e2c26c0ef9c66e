"""Every table of the lake: its grain, its columns with their meaning, how it is partitioned.

Pure: this file only writes SQL text. Layers are defined by what they may do: Bronze holds Kafka's
records and no opinion, Silver decides which of them are trades, Gold holds each trade once and the
bars made of them. Times are timestamps with time zone (UTC).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from record_schema import Column, field_docs, trade_columns
from statements import literal

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

_FRAME = {**field_docs("frame_batch"), **field_docs("frame_batch", "frames")}

_FRAMES: tuple[Column, ...] = (
    ("exchange", "STRING", _FRAME["exchange"]),
    ("connection_id", "STRING", _FRAME["connection_id"]),
    ("url", "STRING", _FRAME["url"]),
    ("frame_sequence", "BIGINT", _FRAME["frame_sequence"]),
    ("direction", "STRING", _FRAME["direction"]),
    ("kind", "STRING", _FRAME["kind"]),
    ("request", "STRING", _FRAME["request"]),
    ("received_us", "TIMESTAMP", _FRAME["received_us"]),
    ("received_monotonic_ns", "BIGINT", _FRAME["received_monotonic_ns"]),
    ("frame", "STRING", "Verbatim, as text; what is not UTF-8 in it stands as U+FFFD."),
    *_KAFKA_POSITION,
)

_EVENT = field_docs("event")
_RANGES = "ARRAY<STRUCT<from_id: BIGINT, to_id: BIGINT>>"

_GAPS: tuple[Column, ...] = (
    ("gap_id", "STRING", _EVENT["gap_id"]),
    ("exchange", "STRING", _EVENT["exchange"]),
    ("native_symbol", "STRING", "The exchange's own name of the market; NULL: of all markets."),
    (
        "state",
        "STRING",
        "open; filled; absent: the exchange never had these ids; unfillable: it had them and can"
        " no longer give them.",
    ),
    ("from_id", "BIGINT", "First missing trade id."),
    ("to_id", "BIGINT", _EVENT["to_id"]),
    ("from_timestamp", "TIMESTAMP", "Exchange time of the trade before the gap."),
    ("to_timestamp", "TIMESTAMP", _EVENT["to_timestamp"]),
    ("remaining", _RANGES, _EVENT["remaining"]),
    ("absent", _RANGES, _EVENT["absent"]),
    ("unfillable", _RANGES, _EVENT["unfillable"]),
    ("found_by", "STRING", _EVENT["found_by"]),
    ("reason", "STRING", "Why it ended as it did, where there is more to say than its state."),
    ("opened_timestamp", "TIMESTAMP", "When we first noticed it, UTC."),
    ("ended_timestamp", "TIMESTAMP", "When we noticed its end, UTC; NULL while it is open."),
    ("event_timestamp", "TIMESTAMP", "Of the event that this row is as of, UTC."),
)

_SESSIONS: tuple[Column, ...] = (
    ("connection_id", "STRING", _EVENT["connection_id"]),
    ("exchange", "STRING", _EVENT["exchange"]),
    ("url", "STRING", _EVENT["url"]),
    ("state", "STRING", "open or closed. One whose process was killed stays open."),
    ("opened_timestamp", "TIMESTAMP", "When it was opened, UTC."),
    ("closed_timestamp", "TIMESTAMP", "When it was closed, UTC; NULL while it is open."),
    ("reason", "STRING", "Why it was closed."),
)

_COVERAGE: tuple[Column, ...] = (
    ("exchange", "STRING", _EVENT["exchange"]),
    ("native_symbol", "STRING", _EVENT["native_symbol"]),
    ("from_id", "BIGINT", "First trade id that is covered: from here on every hole is a gap."),
    ("from_timestamp", "TIMESTAMP", "Exchange time of that trade."),
    ("confirmed_id", "BIGINT", _EVENT["through_id"]),
    ("confirmed_timestamp", "TIMESTAMP", _EVENT["through_timestamp"]),
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
    #: Partition transforms as SQL has them; empty: not partitioned.
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
BRONZE_FRAMES = Table(
    "bronze.frames", "One Kafka record of a frames topic.", _BRONZE, "days(kafka_timestamp)"
)
BRONZE_EVENTS = Table(
    "bronze.events", "One Kafka record of the topic of events.", _BRONZE, "days(kafka_timestamp)"
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
SILVER_FRAMES = Table(
    "silver.frames",
    "One WebSocket message or REST page.",
    _FRAMES,
    "days(received_us)",
)
SILVER_GAPS = Table("silver.gaps", "One gap, in its current state.", _GAPS, "")
SILVER_SESSIONS = Table("silver.sessions", "One session, in its current state.", _SESSIONS, "")
SILVER_COVERAGE = Table(
    "silver.coverage", "One (exchange, native_symbol), in its current state.", _COVERAGE, ""
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
    BRONZE_FRAMES,
    BRONZE_EVENTS,
    BRONZE_DEAD_LETTERS,
    SILVER_TRADES,
    SILVER_QUARANTINE,
    SILVER_FRAMES,
    SILVER_GAPS,
    SILVER_SESSIONS,
    SILVER_COVERAGE,
    GOLD_TRADES,
    GOLD_OHLCV,
)

#: How long readers may hold a metadata file that is no longer the current one.
METADATA_S_MIN = 600
#: Metadata files that are kept at least, whatever the trigger.
METADATA_FILES_MIN = 200

#: Twenty retries, because maintenance commits to the same tables as the queries. No distribution
#: and open writers for every partition: a live batch is small, and a sort before the write would
#: cost more than it saves. Metadata is packed: each commit writes all of it anew, with every
#: snapshot of the last hour, and two hundred files of it are kept.
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
    "write.metadata.compression-codec": "gzip",
    "commit.retry.num-retries": "20",
    "commit.retry.min-wait-ms": "50",
    "commit.retry.max-wait-ms": "5000",
}


def properties(trigger_seconds: float) -> dict[str, str]:
    """Return what every table is to have.

    Readers open a table by a metadata file and hold it for a while. Iceberg keeps old ones by
    number, so the number follows from how often a query commits, with room for maintenance.
    """
    files = max(METADATA_FILES_MIN, math.ceil(1.25 * METADATA_S_MIN / trigger_seconds))
    return {**PROPERTIES, "write.metadata.previous-versions-max": str(files)}


def definitions(trigger_seconds: float = 2) -> tuple[str, ...]:
    """Return the statements that create what is missing, in order."""
    wanted = properties(trigger_seconds)
    namespaces = (f"CREATE NAMESPACE IF NOT EXISTS {CATALOG}.{name}" for name in NAMESPACES)
    return (*namespaces, *(_definition(table, wanted) for table in TABLES))


def _definition(table: Table, wanted: dict[str, str]) -> str:
    columns = ",\n".join(
        f"  `{name}` {sql_type} COMMENT {literal(comment)}"
        for name, sql_type, comment in table.columns
    )
    text = ", ".join(f"{literal(name)} = {literal(value)}" for name, value in wanted.items())
    partitioned = f"PARTITIONED BY ({table.partitioned_by})\n" if table.partitioned_by else ""
    return (
        f"CREATE TABLE IF NOT EXISTS {table.path} (\n{columns}\n) USING iceberg\n{partitioned}"
        f"COMMENT {literal(table.grain)}\nTBLPROPERTIES ({text})"
    )
