"""What the record of a trade looks like to Spark, taken from `schemas/trade.avsc`.

The Avro schema is the one place where a field's name, type and meaning stand; columns and their
comments follow from it. Pure, but for reading that file once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

SCHEMA_FILE = Path(__file__).resolve().parents[2] / "schemas" / "trade.avsc"

#: What an enum symbol that we do not know is read as; no exchange and no column ever holds it.
UNKNOWN_SYMBOL = "UNKNOWN"

#: A column: its name, its SQL type, what it means.
Column = tuple[str, str, str]

Schema = Mapping[str, Any]


@cache
def trade_schema() -> Schema:
    """Return the schema of TradeV3 as it stands in the file."""
    schema: Schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    return schema


@cache
def trade_columns() -> tuple[Column, ...]:
    """Return one column for each field of TradeV3, in its order."""
    return tuple(
        (field["name"], _sql_type(field["type"]), field["doc"])
        for field in trade_schema()["fields"]
    )


@cache
def reader_schema() -> str:
    """Return the schema that records are read as, whatever schema they were written with.

    It is TradeV3 whose enums have a default: without one Avro refuses the whole record for a symbol
    that the reader does not know, and the quarantine could not say that it was the side.
    """
    fields = [{**field, "type": _with_default(field["type"])} for field in trade_schema()["fields"]]
    return json.dumps({**trade_schema(), "fields": fields})


def is_readable(writer_schema: str) -> bool:
    """Say whether records of the writer's schema mean what the reader's schema would make of them.

    Avro resolves a decimal of another scale, or milliseconds, without a word, since underneath they
    are only bytes and longs. Such a schema is not readable, rather than off by powers of ten. Nor
    is one that is not an Avro record at all: a registry holds JSON and Protobuf schemas too.
    """
    try:
        writer = json.loads(writer_schema)
    except json.JSONDecodeError:
        return False
    if not isinstance(writer, Mapping) or writer.get("type") != "record":
        return False
    written = {field["name"]: field["type"] for field in writer.get("fields", [])}
    return all(
        _logical_type(written[field["name"]]) == _logical_type(field["type"])
        for field in trade_schema()["fields"]
        if field["name"] in written
    )


def _logical_type(of: Any) -> tuple[Any, ...]:
    if not isinstance(of, Mapping):
        return (None, None, None)
    return (of.get("logicalType"), of.get("precision"), of.get("scale"))


def _with_default(of: Any) -> Any:
    if not isinstance(of, Mapping) or of["type"] != "enum":
        return of
    symbols = [*of["symbols"], UNKNOWN_SYMBOL]
    return {**of, "symbols": symbols, "default": UNKNOWN_SYMBOL}


def _sql_type(of: Any) -> str:
    if isinstance(of, str):
        return {"string": "STRING", "long": "BIGINT", "bytes": "BINARY"}[of]
    if of.get("logicalType") == "decimal":
        return f"DECIMAL({of['precision']},{of['scale']})"
    if of.get("logicalType") == "timestamp-micros":
        return "TIMESTAMP"
    if of["type"] == "map":
        return f"MAP<STRING,{_sql_type(of['values'])}>"
    return {"enum": "STRING", "long": "BIGINT", "string": "STRING"}[of["type"]]
