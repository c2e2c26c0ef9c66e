"""The thread that keeps the lake in order while the queries run: on a schedule, and when asked.

A run that fails is told to the parent and tried again at the next turn; it never ends the queries.
Its Spark jobs stand in a scheduler pool of their own, so that they take turns with those of the
queries instead of going before them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from pyspark.sql import SparkSession

from channel import Channel, now_text, one_line
from compaction_plan import HOUR_MS, Compaction
from config import Config
from maintenance import Limits, Maintenance
from maintenance_report import TableReport
from retention_plan import Retention
from table_files import load, set_properties
from tables import TABLES, properties

POOL = "maintenance"
#: Joining files computes all the time that it takes; so it gets a core for a third of the time.
REST_SHARE = 2


class Maintainer:
    """Maintains the lake of one driver.

    Args:
        session: the driver's session.
        config: how often, and what is kept.
        channel: where reports go.
        locked: held while files are replaced that a query replaces too.

    """

    def __init__(
        self,
        session: SparkSession,
        config: Config,
        channel: Channel,
        locked: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self._session = session
        self._channel = channel
        limits = limits_of(config)
        gentle = replace(limits, compaction=replace(limits.compaction, rest_share=REST_SHARE))
        self._maintenance = Maintenance(session, config.checkpoint_dir, gentle, locked)
        self._pause_s = config.maintenance_minutes * 60 or None
        self._asked = threading.Event()

    def start(self) -> None:
        """Begin with the schedule."""
        threading.Thread(target=self._serve, daemon=True).start()

    def ask(self) -> None:
        """Have it done now; while a run is under way, once more after it."""
        self._asked.set()

    def _serve(self) -> None:
        self._session.sparkContext.setLocalProperty("spark.scheduler.pool", POOL)
        while True:
            self._asked.wait(self._pause_s)
            self._asked.clear()
            started = time.monotonic()
            try:
                reports = self._maintenance.run(int(time.time() * 1000))
            except Exception as error:  # noqa: BLE001 - the queries go on, and the next turn comes
                reason = one_line(f"{type(error).__name__}: {error}")
                self._channel.send("maintained", **_summary([], started), failure=reason)
            else:
                report_to(self._channel, reports, started)


def maintain_once(session: SparkSession, config: Config, channel: Channel) -> bool:
    """Do all that there is to do in a lake that nobody writes to, and report it.

    Returns:
        Whether there is a lake.

    """
    started = time.monotonic()
    present = [iceberg for table in TABLES if (iceberg := load(session, table)) is not None]
    for iceberg in present:
        set_properties(iceberg, properties(config.trigger_seconds))
    limits = limits_of(config)
    everything = replace(
        limits,
        compaction=replace(limits.compaction, run_bytes_max=2**62),
        snapshots_per_run_max=2**31 - 1,
        orphan_tables_max=len(TABLES),
    )
    maintenance = Maintenance(session, config.checkpoint_dir, everything, nullcontext)
    if present:
        report_to(channel, maintenance.run(int(time.time() * 1000)), started)
    return bool(present)


def limits_of(config: Config) -> Limits:
    """Return what the configuration says is kept."""
    return Limits(
        retention=Retention(
            bronze_days=config.retention_bronze_days,
            frames_days=config.retention_frames_days,
            silver_days=config.retention_silver_days,
            gold_days=config.retention_gold_days,
        ),
        compaction=Compaction(),
        snapshot_ms_min=int(config.snapshot_hours_min * HOUR_MS),
    )


def report_to(channel: Channel, reports: Sequence[TableReport], started: float) -> None:
    """Tell the parent what a run came to.

    Args:
        channel: where it goes.
        reports: one for each table.
        started: when the run began, on the monotonic clock, seconds.

    """
    failures = [f"{report.table}: {report.failure}" for report in reports if report.failure]
    failure = one_line("; ".join(failures)) if failures else None
    channel.send("maintained", **_summary(reports, started), failure=failure)


def _summary(reports: Sequence[TableReport], started: float) -> dict[str, object]:
    return {
        "timestamp": now_text(),
        "seconds": round(time.monotonic() - started, 3),
        "tables": [report.as_values() for report in reports],
    }
