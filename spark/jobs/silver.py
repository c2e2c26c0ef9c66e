"""What becomes of each Bronze record: a trade, or a row of the quarantine with a reason.

Pure transformations of DataFrames, in JVM SQL only: no Python worker ever touches a row. A record
is decoded by the schema it was written with (its id stands in the header) and read as TradeV3.
Every record gets exactly one outcome, because the outcome is one expression: `reason` is NULL for
a trade and one of `REASONS` for everything else.
"""

from __future__ import annotations

from collections.abc import Collection

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from decoding import SCHEMA_ID, WriterSchemas, decoded
from record_schema import trade_columns
from statements import statement

#: Every reason a record can be quarantined for, in the order in which they are looked for.
REASONS = (
    "bad_header",
    "unknown_schema",
    "undecodable",
    "id_missing",
    "trade_id_unreadable",
    "message_id_mismatch",
    "side_unknown",
    "source_unknown",
    "price_not_positive",
    "quantity_not_positive",
    "timestamp_before_2009",
    "out_of_range",
    "timestamp_in_future",
)

_POSITION = ("topic", "partition", "offset", "kafka_timestamp", "value")


def outcomes(records: DataFrame, writers: WriterSchemas) -> DataFrame:
    """Give each Bronze record its outcome.

    Args:
        records: Bronze's columns.
        writers: the schemas known so far. The outcome of a record of any other id is not to be
            kept: it has `is_decided` false, and the caller asks the registry.

    Returns:
        Bronze's position and value, schema_id, is_decided, TradeV3's fields, quote_quantity and
        reason.

    """
    names = [name for name, _, _ in trade_columns()]
    kept = [*_POSITION, "schema_id", "is_decided", *(f"`{name}`" for name in names)]
    any_missing = " OR ".join(f"`{name}` IS NULL" for name in names)
    with_schema = [schema_id for schema_id, text in writers.items() if text is not None]
    return (
        records.selectExpr(*_POSITION, SCHEMA_ID)
        .select(
            *(*_POSITION, "schema_id"),
            (_is_one_of(writers) | F.col("schema_id").isNull()).alias("is_decided"),
            _is_one_of(with_schema).alias("has_schema"),
            decoded("trade", writers).alias("trade"),
        )
        .selectExpr(*_POSITION, "schema_id", "is_decided", "has_schema", "trade.*")
        .selectExpr(*kept, "has_schema", *_PARTS)
        .selectExpr("*", "try_cast(rests AS DECIMAL(19,18)) AS rests_cut")
        .selectExpr(*kept, "has_schema", f"{statement('quote_quantity')} AS quote_quantity")
        .selectExpr(
            *(*kept, "quote_quantity"),
            f"{statement('outcome', any_missing=any_missing)} AS reason",
        )
    )


#: price x quantity without rounding. Both have 20 digits before and 18 after the point, and no type
#: of Spark holds the 76 digits of their product. So the four products of whole and fractional parts
#: are taken one by one, each in a type that holds it; only that of the two fractions can need more
#: than 18 decimals.
_PARTS = (
    "floor(price) AS price_whole",
    "try_cast(price - floor(price) AS DECIMAL(18,18)) AS price_rest",
    "floor(quantity) AS quantity_whole",
    "try_cast(quantity - floor(quantity) AS DECIMAL(18,18)) AS quantity_rest",
    "CAST(try_cast(price - floor(price) AS DECIMAL(18,18))"
    " * try_cast(quantity - floor(quantity) AS DECIMAL(18,18)) AS DECIMAL(37,36)) AS rests",
)


def _is_one_of(schema_ids: Collection[int]) -> Column:
    return F.coalesce(F.col("schema_id").isin(*schema_ids), F.lit(False))
