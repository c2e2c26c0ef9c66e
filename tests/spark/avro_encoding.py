"""Avro and Confluent's wire format, written out by hand.

The tests encode without any of the libraries that the lake decodes with, so that both cannot be
wrong in the same way. Only the types that our records need.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

SCALE = 18


def confluent(schema_id: int, body: bytes) -> bytes:
    """Put Confluent's header before a body."""
    return b"\0" + schema_id.to_bytes(4, "big") + body


def record(schema: Mapping[str, Any], values: Mapping[str, Any]) -> bytes:
    """Encode a record of the schema."""
    return b"".join(_value(field["type"], values[field["name"]]) for field in schema["fields"])


def decimal_bytes(value: str | Decimal, scale: int = SCALE) -> bytes:
    """Return the unscaled integer, big endian, two's complement, as short as it can be."""
    sign, digits, exponent = Decimal(value).as_tuple()
    unscaled = int("".join(map(str, digits)))
    power = int(exponent) + scale
    unscaled = unscaled * 10**power if power >= 0 else unscaled // 10**-power
    unscaled = -unscaled if sign else unscaled
    return unscaled.to_bytes((unscaled.bit_length() + 8) // 8, "big", signed=True)


def _value(of: Any, value: Any) -> bytes:
    if isinstance(of, list):
        return _union(of, value)
    kind = of if isinstance(of, str) else of["type"]
    if kind == "long":
        return _long(value)
    if kind == "string":
        return _bytes(value.encode())
    if of == "bytes":
        return _bytes(value)
    if kind == "bytes":
        return _bytes(decimal_bytes(value, of["scale"]))
    if kind == "enum":
        return _long(of["symbols"].index(value))
    if kind == "map":
        items = b"".join(_bytes(k.encode()) + _value(of["values"], v) for k, v in value.items())
        return (_long(len(value)) + items if value else b"") + _long(0)
    if kind == "array":
        items = b"".join(_value(of["items"], item) for item in value)
        return (_long(len(value)) + items if value else b"") + _long(0)
    if kind == "record":
        return record(of, value)
    raise NotImplementedError(kind)


def _union(of: list[Any], value: Any) -> bytes:
    """Encode a value of a type or null."""
    (other,) = (each for each in of if each != "null")
    if value is None:
        return _long(of.index("null"))
    return _long(of.index(other)) + _value(other, value)


def _bytes(value: bytes) -> bytes:
    return _long(len(value)) + value


def _long(value: int) -> bytes:
    zigzag = (value << 1) ^ (value >> 63)
    out = bytearray()
    while zigzag > 0x7F:
        out.append((zigzag & 0x7F) | 0x80)
        zigzag >>= 7
    return bytes([*out, zigzag])
