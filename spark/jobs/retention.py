"""Deletes the days that a table no longer keeps.

First the table says from when on it is whole (`k2.retained_from`), then the rows go: a check that
reads it in between begins too late, never too early. Nothing goes that a later layer has not taken;
the whole table then waits.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import SparkSession

from compaction_plan import Field, ends_ms
from positions import not_consumed
from retention_plan import (
    RETAINED_FROM,
    TAKEN_BY,
    Retention,
    expired_rows,
    first_kept_day,
    retained_from_text,
)
from snapshots import consumed
from statements import statement
from table_files import Java, fields_of, partitions_of, set_properties
from tables import Table


@dataclass(frozen=True)
class Retained:
    """What retention came to in one table."""

    rows_deleted: int = 0
    #: Why rows that are old enough are still there.
    skipped: str | None = None


def retain(
    session: SparkSession,
    table: Table,
    iceberg: Java,
    retention: Retention,
    *,
    now_ms: int,
    locked: Callable[[], AbstractContextManager[object]],
) -> Retained:
    """Delete what a table no longer keeps.

    Args:
        session: the driver's session.
        table: the table,
        iceberg: and as Iceberg has it.
        retention: how many days are kept.
        now_ms: this instant, milliseconds since 1970.
        locked: held while rows are deleted.

    """
    days = retention.days_of(table)
    if days == 0:
        return Retained()
    first_day = first_kept_day(now_ms, days)
    if not _has_earlier_days(session, iceberg, first_day):
        return Retained()
    waiting = []
    for consumer in TAKEN_BY.get(table, ()):
        taken = consumed(session, consumer)
        if taken is None:
            return Retained(skipped=f"{consumer.name} has taken nothing of it yet")
        waiting.append(not_consumed(taken))
    expired = expired_rows(table, first_day)
    (found,) = session.sql(
        statement(
            "retention_measure",
            table=table.path,
            waiting=" OR ".join(waiting) or "false",
            expired=expired,
        )
    ).collect()
    if found.waiting > 0:
        consumers = " and ".join(consumer.name for consumer in TAKEN_BY[table])
        return Retained(skipped=f"{found.waiting} old rows wait for {consumers} to take them")
    if found.rows == 0:
        return Retained()
    _raise_retained_from(iceberg, first_day)
    with locked():
        session.sql(statement("retention_delete", table=table.path, expired=expired))
    return Retained(rows_deleted=found.rows)


def _has_earlier_days(session: SparkSession, iceberg: Java, first_day: datetime) -> bool:
    fields: tuple[Field, ...] = fields_of(iceberg)
    first_ms = int(first_day.timestamp() * 1000)
    ends = (ends_ms(fields, found.values) for found in partitions_of(session, iceberg))
    return any(end is not None and end <= first_ms for end in ends)


def _raise_retained_from(iceberg: Java, first_day: datetime) -> None:
    text = retained_from_text(first_day)
    # Instants of one form are in the order of their text.
    if (iceberg.properties().get(RETAINED_FROM) or "") < text:
        set_properties(iceberg, {RETAINED_FROM: text})
