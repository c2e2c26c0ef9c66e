"""Keeps the tables of the lake in order: retention, compaction, expiry of snapshots, orphans.

One table after the other, and in each one small step after the other, so that no stream waits long
and a process may die between any two: every step is a commit of its own, and the next run finds
what is left. What fails in one table is told, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace

from pyspark.sql import SparkSession

from channel import one_line
from checkpoints import needed_snapshots
from compaction import compact
from compaction_plan import DAY_MS, HOUR_MS, Compaction
from expiry import SNAPSHOTS_PER_RUN_MAX, expire
from maintenance_report import TableReport
from orphans import mark_removed, orphans_due_ms, remove_orphans
from retention import retain
from retention_plan import Retention
from snapshots import consumed, consuming_snapshot
from table_files import Java, load, measure
from tables import (
    GOLD_OHLCV,
    GOLD_TRADES,
    SILVER_COVERAGE,
    SILVER_GAPS,
    SILVER_SESSIONS,
    TABLES,
    Table,
)

#: Tables whose writer replaces files. It and maintenance must not replace the same ones at the same
#: time: whoever commits second would fail.
REPLACING = (GOLD_OHLCV, SILVER_GAPS, SILVER_SESSIONS, SILVER_COVERAGE)

#: Tables that are compared with bars.
COMPARED_WITH_BARS = (GOLD_TRADES, SILVER_GAPS, SILVER_SESSIONS, SILVER_COVERAGE)


@dataclass(frozen=True)
class Limits:
    """What is kept, and how much one run may do."""

    retention: Retention = field(default_factory=Retention)
    compaction: Compaction = field(default_factory=Compaction)
    snapshot_ms_min: int = HOUR_MS
    snapshots_per_run_max: int = SNAPSHOTS_PER_RUN_MAX
    orphan_age_ms: int = DAY_MS
    #: Tables whose folders are searched for orphans in one run.
    orphan_tables_max: int = 1


class Maintenance:
    """Maintains the tables of one lake.

    Args:
        session: the driver's session.
        checkpoint_dir: where the queries remember what they have read.
        limits: what is kept, and how much one run may do.
        locked: held while files are replaced that a query replaces too.

    """

    def __init__(
        self,
        session: SparkSession,
        checkpoint_dir: str,
        limits: Limits,
        locked: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._session = session
        self._checkpoint_dir = checkpoint_dir
        self._limits = limits
        self._locked = locked

    def run(self, now_ms: int, tables: Sequence[Table] = TABLES) -> list[TableReport]:
        """Maintain the tables that exist, and say what was found and done.

        Args:
            now_ms: this instant, milliseconds since 1970.
            tables: which ones.

        """
        # Compaction looks for its settings in the session that is active on this thread, and a
        # thread that has just begun has none.
        sessions = self._session._jvm.org.apache.spark.sql.classic.SparkSession
        sessions.setActiveSession(self._session._jsparkSession)
        found = {table: load(self._session, table) for table in tables}
        present = {table: iceberg for table, iceberg in found.items() if iceberg is not None}
        left = self._limits.compaction.run_bytes_max
        orphans = self._due_for_orphans(present, now_ms)
        reports = []
        for table, iceberg in present.items():
            before = measure(iceberg)
            report = TableReport(table.name, before, before)
            try:
                self._maintain(table, iceberg, report, now_ms=now_ms, bytes_max=left)
                if table in orphans:
                    age_ms = self._limits.orphan_age_ms
                    report.orphans_removed = remove_orphans(
                        self._session, iceberg, now_ms=now_ms, age_ms=age_ms
                    )
            except Exception as error:  # noqa: BLE001 - the other tables are no worse for it
                report.failure = one_line(f"{type(error).__name__}: {error}")
            left -= report.rewritten_bytes
            iceberg.refresh()
            report.after = measure(iceberg)
            reports.append(report)
        return reports

    def _maintain(
        self, table: Table, iceberg: Java, report: TableReport, *, now_ms: int, bytes_max: int
    ) -> None:
        locked = self._locked if table in REPLACING else nullcontext
        limits = self._limits
        retained = retain(
            self._session, table, iceberg, limits.retention, now_ms=now_ms, locked=locked
        )
        report.rows_deleted = retained.rows_deleted
        if retained.skipped is not None:
            report.skipped.append(retained.skipped)
        iceberg.refresh()
        compacted = compact(
            self._session,
            iceberg,
            replace(limits.compaction, run_bytes_max=bytes_max),
            now_ms=now_ms,
            locked=locked,
        )
        report.rewritten_files = compacted.rewritten_files
        report.rewritten_bytes = compacted.rewritten_bytes
        if compacted.waiting > 0:
            report.skipped.append(
                f"partitions that wait for the next run to join their files: {compacted.waiting}"
            )
        expire(
            iceberg,
            before_ms=now_ms - limits.snapshot_ms_min,
            needed=self._needed(table, iceberg),
            snapshots_max=limits.snapshots_per_run_max,
        )

    def _needed(self, table: Table, iceberg: Java) -> frozenset[int]:
        """Return the snapshots that somebody goes on from, or compares with."""
        needed = needed_snapshots(self._session, self._checkpoint_dir, table)
        if table.name.startswith("bronze."):
            return needed
        newest = consuming_snapshot(iceberg)
        # Bars are compared with what they were made of, which may be a batch ahead.
        bars = consumed(self._session, GOLD_OHLCV) if table in COMPARED_WITH_BARS else None
        compared = None if bars is None else consuming_snapshot(iceberg, bars)
        return needed | {found[0] for found in (newest, compared) if found is not None}

    def _due_for_orphans(self, present: dict[Table, Java], now_ms: int) -> frozenset[Table]:
        due = []
        for table, iceberg in present.items():
            due_ms = orphans_due_ms(iceberg)
            if due_ms is None:
                mark_removed(iceberg, now_ms)
            elif due_ms <= now_ms:
                due.append((due_ms, table))
        due.sort(key=lambda found: found[0])
        return frozenset(table for _, table in due[: self._limits.orphan_tables_max])
