"""Joins small files of a table, one small step at a time.

What needs it is found in the metadata; only then does a Spark job run. A step is one job of one
task in a pool of its own, and one commit that changes no row. It may run beside whatever appends to
the table; a table of which files are replaced by its writer is locked by the caller.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from pyspark.sql import SparkSession

from compaction_plan import (
    Compaction,
    Field,
    Partition,
    files_to_rewrite,
    is_closed,
    may_need_rewrite,
    rewrite_options,
)
from table_files import Java, condition_of, fields_of, file_sizes, partitions_of


@dataclass(frozen=True)
class Compacted:
    """What joining the files of one table came to."""

    #: How many files were read and are replaced.
    rewritten_files: int
    rewritten_bytes: int
    #: Partitions that wait for the next run.
    waiting: int


def compact(
    session: SparkSession,
    iceberg: Java,
    compaction: Compaction,
    *,
    now_ms: int,
    locked: Callable[[], AbstractContextManager[object]],
) -> Compacted:
    """Join a table's small files, at most `compaction.run_bytes_max` of them.

    Args:
        session: the driver's session.
        iceberg: the table.
        compaction: how files are to be, and how much one run may do.
        now_ms: this instant, milliseconds since 1970.
        locked: held for each step.

    """
    fields = fields_of(iceberg)
    files, size_bytes, waiting = 0, 0, 0
    for partition in sorted(partitions_of(session, iceberg), key=lambda found: -found.files):
        closed = is_closed(fields, partition, compaction, now_ms)
        if not may_need_rewrite(partition, compaction, closed=closed):
            continue
        work = _Work(session, iceberg, fields, partition, compaction, closed)
        while (count := work.next_files()) > 0:
            if size_bytes >= compaction.run_bytes_max:
                waiting += 1
                break
            with locked():
                started = time.monotonic()
                step_files, step_bytes = work.step(count)
                step_s = time.monotonic() - started
            time.sleep(compaction.rest_share * step_s)
            files += step_files
            size_bytes += step_bytes
            if step_files == 0:
                break
    return Compacted(files, size_bytes, waiting)


@dataclass(frozen=True)
class _Work:
    """One partition that may need joining."""

    session: SparkSession
    iceberg: Java
    fields: tuple[Field, ...]
    partition: Partition
    compaction: Compaction
    closed: bool

    def next_files(self) -> int:
        """Return how many files the next step takes, 0 for none."""
        self.iceberg.refresh()
        sizes = file_sizes(self.iceberg, self._condition())
        return files_to_rewrite(sizes, self.compaction, closed=self.closed)

    def step(self, files: int) -> tuple[int, int]:
        """Join so many files; return how many were joined, and their bytes."""
        self.iceberg.refresh()
        actions = self.session._jvm.org.apache.iceberg.spark.actions.SparkActions
        action = actions.get(self.session._jsparkSession).rewriteDataFiles(self.iceberg)
        action = action.binPack().filter(self._condition())
        options = rewrite_options(files, self.compaction)
        for name, value in options.items():
            action = action.option(name, value)
        result = action.execute()
        return result.rewrittenDataFilesCount(), result.rewrittenBytesCount()

    def _condition(self) -> Java:
        return condition_of(self.session, self.fields, self.partition.values)
