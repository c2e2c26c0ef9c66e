"""Goal: the tables are what readers rely on, to the letter.

Method: the real catalog after the definitions have run, compared with names written out here.
"""

from __future__ import annotations

from lake import Lake
from record_schema import trade_columns
from tables import TABLES, definitions

KAFKA = ["topic", "partition", "offset", "kafka_timestamp"]
TRADE = [
    *("message_id", "exchange", "symbol", "native_symbol", "base_asset", "quote_asset"),
    *("trade_id", "side", "price", "quantity", "timestamp", "ingestion_timestamp", "source"),
    *("connection_id", "frame_sequence", "vendor_data"),
]
COLUMNS = {
    "bronze.trades": [*KAFKA, "key", "value"],
    "bronze.frames": [*KAFKA, "key", "value"],
    "bronze.events": [*KAFKA, "key", "value"],
    "bronze.dead_letters": [*KAFKA, "key", "value"],
    "silver.trades": [*TRADE, "quote_quantity", *KAFKA],
    "silver.quarantine": [*KAFKA, "reason", "value"],
    "silver.frames": [
        *("exchange", "connection_id", "url", "frame_sequence", "direction", "kind", "request"),
        *("received_us", "received_monotonic_ns", "frame", *KAFKA),
    ],
    "silver.gaps": [
        *("gap_id", "exchange", "native_symbol", "state", "from_id", "to_id", "from_timestamp"),
        *("to_timestamp", "remaining", "absent", "unfillable", "found_by", "reason"),
        *("opened_timestamp", "ended_timestamp", "event_timestamp"),
    ],
    "silver.sessions": [
        *("connection_id", "exchange", "url", "state", "opened_timestamp", "closed_timestamp"),
        "reason",
    ],
    "silver.coverage": [
        *("exchange", "native_symbol", "from_id", "from_timestamp", "confirmed_id"),
        "confirmed_timestamp",
    ],
    "gold.trades": [*TRADE, "quote_quantity", *KAFKA, "exchange_date", "exchange_hour"],
    "gold.ohlcv": [
        *("exchange", "symbol", "native_symbol", "interval", "window_start", "window_end"),
        *("open", "high", "low", "close", "volume", "quote_volume", "vwap", "trade_count"),
        *("first_trade_id", "last_trade_id", "is_complete", "updated_at"),
    ],
}


def test_tables_have_their_columns_and_every_column_its_meaning(lake: Lake) -> None:
    for table in TABLES:
        fields = lake.spark.table(table.path).schema.fields

        assert [field.name for field in fields] == COLUMNS[table.name]
        assert all(field.metadata.get("comment") for field in fields)
    docs = {name: doc for name, _, doc in trade_columns()}
    for field in lake.spark.table("lake.gold.trades").schema.fields:
        if field.name in docs:
            assert field.metadata["comment"] == docs[field.name]


def test_prices_are_exact_and_times_have_a_zone(lake: Lake) -> None:
    for table in TABLES:
        types = dict(lake.spark.table(table.path).dtypes)
        decimals = {"price", "quantity", "quote_quantity", "open", "high", "low", "close"}
        decimals |= {"volume", "quote_volume", "vwap"}

        assert {types[name] for name in decimals & set(types)} <= {"decimal(38,18)"}
        assert "timestamp_ntz" not in types.values()
        assert "double" not in types.values()


def test_definitions_leave_what_is_there_alone(lake: Lake) -> None:
    lake.land([b"value"])

    for definition in definitions():
        lake.spark.sql(definition)

    assert len(lake.rows("bronze.trades")) == 1
