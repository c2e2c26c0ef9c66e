"""Goal: columns follow from the Avro schema, and a schema that would be misread is refused.

Method: the real `schemas/trade.avsc`, and copies of it with one thing changed.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from record_schema import is_readable, reader_schema, trade_columns, trade_schema


def changed(name: str, of: Any) -> str:
    schema = copy.deepcopy(dict(trade_schema()))
    for field in schema["fields"]:
        if field["name"] == name:
            field["type"] = of
    return json.dumps(schema)


def test_every_field_is_a_column_with_its_type_and_its_doc() -> None:
    columns = {name: (sql_type, comment) for name, sql_type, comment in trade_columns()}

    assert [field["name"] for field in trade_schema()["fields"]] == list(columns)
    assert columns["price"][0] == columns["quantity"][0] == "DECIMAL(38,18)"
    assert columns["timestamp"][0] == "TIMESTAMP"
    assert columns["side"][0] == "STRING"
    assert columns["vendor_data"][0] == "MAP<STRING,STRING>"
    assert all(comment for _, comment in columns.values())


def test_the_reader_has_a_default_for_symbols_it_does_not_know() -> None:
    side = next(f for f in json.loads(reader_schema("trade"))["fields"] if f["name"] == "side")

    assert side["type"]["default"] == "UNKNOWN"
    assert side["type"]["symbols"] == ["BUY", "SELL", "UNKNOWN"]


def test_its_own_schema_and_one_with_fewer_fields_are_readable() -> None:
    fewer = {**trade_schema(), "fields": trade_schema()["fields"][:-1]}

    assert is_readable(json.dumps(trade_schema()), "trade")
    assert is_readable(json.dumps(fewer), "trade")


@pytest.mark.parametrize(
    ("name", "of"),
    [
        ("price", {"type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 8}),
        ("price", "bytes"),
        ("timestamp", {"type": "long", "logicalType": "timestamp-millis"}),
        ("timestamp", "long"),
    ],
)
def test_a_type_that_avro_would_resolve_to_another_value_is_not_readable(
    name: str, of: Any
) -> None:
    assert not is_readable(changed(name, of), "trade")


@pytest.mark.parametrize("text", ["", "[]", '"string"', '{"type":"object"}', 'syntax = "proto3";'])
def test_what_is_no_avro_record_is_not_readable(text: str) -> None:
    assert not is_readable(text, "trade")
