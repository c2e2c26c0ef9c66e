"""What Kafka's records look like to Spark, taken from `schemas/*.avsc`: above all the trade.

The Avro schema is the one place where a field's name, type and meaning stand; columns and their
comments follow from it. Pure, but for reading those files once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

_SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"

#: What an enum symbol that we do not know is read as; no exchange and no column ever holds it.
UNKNOWN_SYMBOL = "UNKNOWN"

#: A column: its name, its SQL type, what it means.
Column = tuple[str, str, str]

Schema = Mapping[str, Any]


@cache
def trade_schema() -> Schema:
    """Return the schema of TradeV3 as it stands in the file."""
    return record_schema("trade")


@cache
def record_schema(name: str) -> Schema:
    """Return the Avro schema in `schemas/<name>.avsc`."""
    schema: Schema = json.loads((_SCHEMAS / f"{name}.avsc").read_text(encoding="utf-8"))
    return schema


def field_docs(name: str, items_of: str | None = None) -> Mapping[str, str]:
    """Return the doc of each field of a record, or of the records in its array `items_of`."""
    fields = record_schema(name)["fields"]
    if items_of is not None:
        (array,) = (field["type"] for field in fields if field["name"] == items_of)
        fields = array["items"]["fields"]
    return {field["name"]: field["doc"] for field in fields}


@cache
def trade_columns() -> tuple[Column, ...]:
    """Return one column for each field of TradeV3, in its order."""
    return tuple(
        (field["name"], _sql_type(field["type"]), field["doc"])
        for field in trade_schema()["fields"]
    )


@cache
def reader_schema(name: str) -> str:
    """Return the schema that records are read as, whatever schema they were written with.

    It is that of the file, whose enums have a default: without one Avro refuses the whole record
    for a symbol that the reader does not know, and the quarantine could not say that it was the
    side.
    """
    return json.dumps(_with_defaults(record_schema(name)))


def is_readable(writer_schema: str, name: str) -> bool:
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
    return _means_the_same(writer, record_schema(name))


def _means_the_same(written: Any, read: Any) -> bool:
    written, read = _without_null(written), _without_null(read)
    if _logical_type(written) != _logical_type(read):
        return False
    if not isinstance(written, Mapping) or not isinstance(read, Mapping):
        return True
    if "items" in written and "items" in read:
        return _means_the_same(written["items"], read["items"])
    types = {field["name"]: field["type"] for field in written.get("fields", [])}
    return all(
        _means_the_same(types[field["name"]], field["type"])
        for field in read.get("fields", [])
        if field["name"] in types
    )


def _without_null(of: Any) -> Any:
    """Return what a union of a type with null may hold besides null."""
    if isinstance(of, list) and len(of) == 2 and "null" in of:
        return of[1] if of[0] == "null" else of[0]
    return of


def _logical_type(of: Any) -> tuple[Any, ...]:
    if not isinstance(of, Mapping):
        return (None, None, None)
    return (of.get("logicalType"), of.get("precision"), of.get("scale"))


def _with_defaults(of: Any) -> Any:
    if isinstance(of, list):
        return [_with_defaults(each) for each in of]
    if not isinstance(of, Mapping):
        return of
    if of.get("type") == "enum":
        return {**of, "symbols": [*of["symbols"], UNKNOWN_SYMBOL], "default": UNKNOWN_SYMBOL}
    return {key: _with_defaults(v) if key in _TYPES else v for key, v in of.items()}


#: Where a schema holds further schemas.
_TYPES = ("type", "items", "fields")


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
