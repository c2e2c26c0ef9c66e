"""Reading Avro in Confluent's wire format: a zero byte, the schema's id in four bytes, the body.

A record is decoded by the schema that it was written with, found by the id in its header, and read
as the record of `schemas/*.avsc`. Transformations of DataFrames, in JVM SQL only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.avro.functions import from_avro

from record_schema import is_readable, reader_schema

#: What a schema id is known to stand for: the schema's text, or None if the registry has none.
WriterSchemas = Mapping[int, str | None]

#: The header's id, NULL where there is no header.
SCHEMA_ID = """
  CASE WHEN length(value) >= 5 AND substring(value, 1, 1) = X'00'
       THEN CAST(conv(hex(substring(value, 2, 4)), 16, 10) AS BIGINT) END AS schema_id
"""
_BODY = "substring(value, 6, length(value) - 5)"


class Registry(Protocol):
    """Where writers' schemas come from."""

    def schema(self, schema_id: int) -> str | None:
        """Return the schema of an id, None if there is none."""


def decoded(name: str, writers: WriterSchemas) -> Column:
    """Read `value` as the record of `schemas/<name>.avsc`, by the schema that `schema_id` names.

    NULL, or NULL in every field, where that cannot be done.
    """
    reader = reader_schema(name)
    options = {"mode": "PERMISSIVE", "avroSchema": reader}
    nothing = from_avro(F.lit(None).cast("binary"), reader, options)
    record = F.when(F.lit(False), nothing)
    for schema_id, text in writers.items():
        if text is not None and is_readable(text, name):
            body = from_avro(F.expr(_BODY), text, options)
            record = record.when(F.col("schema_id") == schema_id, body)
    return record


def decode(records: DataFrame, name: str, registry: Registry) -> DataFrame:
    """Add a column `record` to rows of Bronze: their value as the record of `schemas/<name>.avsc`.

    It is NULL for what cannot be read. The rows are read once before, for the ids of their schemas.

    Raises:
        RegistryUnavailableError: a schema could not be asked for.

    """
    with_id = records.selectExpr("*", SCHEMA_ID)
    rows = with_id.select("schema_id").distinct().collect()
    writers = {row[0]: registry.schema(row[0]) for row in rows if row[0] is not None}
    return with_id.withColumn("record", decoded(name, writers)).drop("schema_id")
