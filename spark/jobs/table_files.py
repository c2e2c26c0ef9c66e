"""What an Iceberg table's own metadata says of its files, read without a Spark job.

Iceberg's Java classes answer in the driver's JVM: a look costs some tens of milliseconds, also at
tables of which nothing needs doing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql import SparkSession

from compaction_plan import Field, Partition
from snapshots import iceberg_table
from tables import Table

#: An org.apache.iceberg.Table, or another object of the JVM.
Java = Any


@dataclass(frozen=True)
class Measure:
    """How large a table is."""

    files: int
    bytes: int
    snapshots: int
    metadata_bytes: int


def load(session: SparkSession, table: Table) -> Java | None:
    """Return the table as it is now, None where the catalog has none of that name."""
    if not session.catalog.tableExists(table.path):
        return None
    return iceberg_table(session, table)


def set_properties(iceberg: Java, wanted: Mapping[str, str]) -> None:
    """Give a table that an earlier version made the properties that it is to have now."""
    stored = iceberg.properties()
    changed = {name: value for name, value in wanted.items() if stored.get(name) != value}
    # Reserved: Iceberg keeps it apart, and it cannot be changed here.
    changed.pop("format-version", None)
    if changed:
        update = iceberg.updateProperties()
        for name, value in changed.items():
            update.set(name, value)
        update.commit()


def measure(iceberg: Java) -> Measure:
    """Return how large a table is: its current rows' files, and what its history takes."""
    metadata = iceberg.operations().current()
    snapshot = metadata.currentSnapshot()
    summary = {} if snapshot is None else snapshot.summary()
    return Measure(
        files=int(summary.get("total-data-files") or 0),
        bytes=int(summary.get("total-files-size") or 0),
        snapshots=metadata.snapshots().size(),
        metadata_bytes=iceberg.io().newInputFile(metadata.metadataFileLocation()).getLength(),
    )


def fields_of(iceberg: Java) -> tuple[Field, ...]:
    """Return how a table is partitioned; nothing for one that is not."""
    schema = iceberg.schema()
    return tuple(
        Field(schema.findColumnName(field.sourceId()), str(field.transform()))
        for field in iceberg.spec().fields()
    )


def partitions_of(session: SparkSession, iceberg: Java) -> list[Partition]:
    """Return every partition that holds a file; one without values where there are none."""
    jvm = session._jvm
    kind = jvm.org.apache.iceberg.MetadataTableType.PARTITIONS
    listed = jvm.org.apache.iceberg.MetadataTableUtils.createMetadataTableInstance(iceberg, kind)
    anything = jvm.java.lang.Class.forName("java.lang.Object")
    names = [column.name() for column in listed.schema().columns()]
    partitions = []
    for task in _closing(listed.newScan().planFiles()):
        for row in _closing(task.asDataTask().rows()):
            found = {name: row.get(index, anything) for index, name in enumerate(names)}
            key = found.get("partition")
            touched_us = found["last_updated_at"]
            partitions.append(
                Partition(
                    values=() if key is None else _values(key, anything),
                    files=found["file_count"],
                    size_bytes=found["total_data_file_size_in_bytes"],
                    touched_ms=None if touched_us is None else touched_us // 1000,
                )
            )
    return partitions


def file_sizes(iceberg: Java, condition: Java) -> list[int]:
    """Return the bytes of each file that may hold rows for which the condition holds."""
    files = iceberg.newScan().filter(condition).planFiles()
    return [task.length() for task in _closing(files)]


def condition_of(
    session: SparkSession, fields: Sequence[Field], values: Sequence[int | str]
) -> Java:
    """Return Iceberg's condition that holds for just the rows of one partition."""
    expressions = session._jvm.org.apache.iceberg.expressions.Expressions
    condition = expressions.alwaysTrue()
    for field, value in zip(fields, values, strict=True):
        is_day = field.transform == "day"
        term = expressions.day(field.column) if is_day else expressions.ref(field.column)
        condition = getattr(expressions, "and")(condition, expressions.equal(term, value))
    return condition


def _values(key: Java, anything: Java) -> tuple[int | str, ...]:
    return tuple(key.get(index, anything) for index in range(key.size()))


def _closing(found: Java) -> Iterator[Java]:
    """Go through an Iceberg iterable and let go of what it holds."""
    try:
        rows = found.iterator()
        while rows.hasNext():
            yield rows.next()
    finally:
        found.close()
