"""Removes files in a table's folders that no snapshot and no kept metadata file names.

A process that is killed between writing a file and committing it leaves such files, and a reader
never sees them. They are a day old at least, so that no running writer loses one. Listing all files
costs a Spark job, so it is done once a day; the table remembers when.
"""

from __future__ import annotations

from pyspark.sql import SparkSession

from compaction_plan import DAY_MS
from table_files import Java

#: Table property: when files without a name were last removed, milliseconds since 1970.
REMOVED_AT = "k2.orphans_removed_at"


def orphans_due_ms(iceberg: Java) -> int | None:
    """Return when removal is due, None for a table that has not begun to count."""
    text = iceberg.properties().get(REMOVED_AT)
    return None if text is None else int(text) + DAY_MS


def remove_orphans(session: SparkSession, iceberg: Java, *, now_ms: int, age_ms: int) -> int:
    """Remove files of at least that age, and return how many."""
    actions = session._jvm.org.apache.iceberg.spark.actions.SparkActions
    action = actions.get(session._jsparkSession).deleteOrphanFiles(iceberg)
    result = action.olderThan(now_ms - age_ms).execute()
    removed = sum(1 for _ in result.orphanFileLocations())
    mark_removed(iceberg, now_ms)
    return removed


def mark_removed(iceberg: Java, now_ms: int) -> None:
    """Begin to count the day anew."""
    iceberg.refresh()
    iceberg.updateProperties().set(REMOVED_AT, str(now_ms)).commit()
