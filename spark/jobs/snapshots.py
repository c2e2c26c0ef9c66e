"""What an Iceberg table's own history says: the positions that its newest commits have recorded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyspark.sql import SparkSession

from positions import (
    CONSUMED,
    Positions,
    Span,
    advance,
    format_positions,
    not_consumed,
    parse_positions,
    spans_between,
)
from tables import Table

_COMMIT_PROPERTY = f"spark.sql.iceberg.snapshot-property.{CONSUMED}"


def iceberg_table(session: SparkSession, table: Table) -> Any:
    """Return Iceberg's own object of a table, as it is now."""
    spark_tables = session._jvm.org.apache.iceberg.spark.Spark3Util
    return spark_tables.loadIcebergTable(session._jsparkSession, table.path)


def consumed(session: SparkSession, table: Table) -> Positions | None:
    """Return the positions of the newest snapshot that has them, None if none has."""
    found = consuming_snapshot(iceberg_table(session, table))
    return None if found is None else found[1]


def consuming_snapshot(
    iceberg: Any, at_most: Positions | None = None
) -> tuple[int, Positions] | None:
    """Return the id and the positions of the newest snapshot that has them.

    Commits of maintenance carry none, so the search goes from the current snapshot to its parents.

    Args:
        iceberg: the table, an object of the JVM.
        at_most: a snapshot that has consumed more than this does not count.

    """
    snapshot = iceberg.currentSnapshot()
    while snapshot is not None:
        text = snapshot.summary().get(CONSUMED)
        if text is not None:
            positions = parse_positions(text)
            if at_most is None or not spans_between(at_most, positions):
                return snapshot.snapshotId(), positions
        parent = snapshot.parentId()
        snapshot = None if parent is None else iceberg.snapshot(parent)
    return None


def reached(session: SparkSession, table: Table, after: Positions) -> Positions:
    """Return the positions after the last of a table's own rows, seen from the positions given."""
    rows = session.sql(
        f"SELECT topic, partition, max(offset) + 1 AS end FROM {table.path}"
        f" WHERE {not_consumed(after)} GROUP BY topic, partition"
    ).collect()
    return advance(after, [Span(row.topic, row.partition, 0, row.end) for row in rows])


def taken(session: SparkSession, table: Table) -> Positions:
    """Return how far a table is: as its commits say, or where none does, as its rows do."""
    positions = consumed(session, table)
    return reached(session, table, {}) if positions is None else positions


@contextmanager
def recording(session: SparkSession, positions: Positions) -> Iterator[None]:
    """Have the session's commits carry these positions in their summary, and no later ones."""
    session.conf.set(_COMMIT_PROPERTY, format_positions(positions))
    try:
        yield
    finally:
        session.conf.unset(_COMMIT_PROPERTY)
