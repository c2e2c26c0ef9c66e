"""Avro and Confluent's wire format, written out by hand.

The tests encode without any of the libraries that the lake decodes with, so that both cannot be
wrong in the same way. Only the types that K2's records need.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

SCALE = 18


def confluent(schema_id: int, body: bytes) -> bytes:
    """Put Confluent's header before a body."""
    return b"\0" + schema_id.to_bytes(4, "big") + body


def record(schema: Mapping[str, Any], values: Mapping[str, Any]) -> bytes:
    """Encode a record of the schema."""
    return _record(schema, values, dict(_names(schema)))


def decimal_bytes(value: str | Decimal, scale: int = SCALE) -> bytes:
    """Return the unscaled integer, big endian, two's complement, as short as it can be."""
    sign, digits, exponent = Decimal(value).as_tuple()
    unscaled = int("".join(map(str, digits)))
    power = int(exponent) + scale
    unscaled = unscaled * 10**power if power >= 0 else unscaled // 10**-power
    unscaled = -unscaled if sign else unscaled
    return unscaled.to_bytes((unscaled.bit_length() + 8) // 8, "big", signed=True)


def _names(schema: Any) -> Iterator[tuple[str, Any]]:
    """Find the types that have a name, wherever they are defined: a value may not come by there."""
    if isinstance(schema, list):
        for branch in schema:
            yield from _names(branch)
    elif isinstance(schema, Mapping):
        if "name" in schema and isinstance(schema["type"], str):
            yield schema["name"], schema
        for part in (schema["type"], schema.get("items"), schema.get("fields")):
            yield from _names(part)


def _record(
    schema: Mapping[str, Any], values: Mapping[str, Any], named: Mapping[str, Any]
) -> bytes:
    return b"".join(_value(f["type"], values[f["name"]], named) for f in schema["fields"])


def _value(of: Any, value: Any, named: Mapping[str, Any]) -> bytes:
    if isinstance(of, list):
        kinds = [_is_null(branch) == (value is None) for branch in of]
        place = kinds.index(True)
        return _long(place) + _value(of[place], value, named)
    of = named.get(of, of) if isinstance(of, str) else of
    kind = of if isinstance(of, str) else of["type"]
    if kind == "null":
        return b""
    if kind == "long":
        return _long(value)
    if kind == "string":
        return _bytes(value.encode())
    if kind == "bytes":
        is_decimal = isinstance(of, Mapping)
        return _bytes(decimal_bytes(value, of["scale"]) if is_decimal else value)
    if kind == "enum":
        return _long(of["symbols"].index(value))
    if kind == "record":
        return _record(of, value, named)
    if kind == "array":
        return _block([_value(of["items"], item, named) for item in value])
    if kind == "map":
        return _block(
            [_bytes(k.encode()) + _value(of["values"], v, named) for k, v in value.items()]
        )
    raise NotImplementedError(kind)


def _is_null(of: Any) -> bool:
    return bool(of == "null")


def _block(items: Sequence[bytes]) -> bytes:
    return (_long(len(items)) + b"".join(items) if items else b"") + _long(0)


def _bytes(value: bytes) -> bytes:
    return _long(len(value)) + value


def _long(value: int) -> bytes:
    zigzag = (value << 1) ^ (value >> 63)
    out = bytearray()
    while zigzag > 0x7F:
        out.append((zigzag & 0x7F) | 0x80)
        zigzag >>= 7
    return bytes([*out, zigzag])
