"""From Bronze to silver.frames: each WebSocket message and REST page a row, its text readable.

A query of its own, because nobody waits for frames and trades must not wait for them: its batches
are small and its tasks stand in a pool of their own beside all others. Each commit carries the
positions at which its batch ends, so that a batch that is cut off or comes again changes nothing.
A record that cannot be decoded is counted and stays in Bronze; it stops nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import StreamingQuery

import positions as at
from bronze import bronze_rows
from config import Config
from decoding import Registry, decode
from portions import is_next, portions, spans_of
from positions import Positions
from snapshots import recording, taken
from statements import statement
from tables import BRONZE_FRAMES, SILVER_FRAMES
from views import keep_view

#: Name of the query, of its folder among the checkpoints, and of its pool.
FRAMES = "silver_frames"
#: Most Kafka records of a batch. Each holds the frames of one flush, up to megabytes of them.
RECORDS_MAX = 10_000
#: Temporary view of the records at hand.
BATCH = "frames_batch"


@dataclass(frozen=True)
class RefinedFrames:
    """What one batch came to."""

    #: Bronze records that had not been taken before.
    rows: int
    #: Frames in them.
    frames: int
    #: kafka_timestamp of the newest record, microseconds since 1970; None without rows.
    newest_kafka_us: int | None

    def plus(self, other: RefinedFrames) -> RefinedFrames:
        """Return what this batch and a later one came to."""
        return RefinedFrames(
            rows=self.rows + other.rows,
            frames=self.frames + other.frames,
            newest_kafka_us=other.newest_kafka_us or self.newest_kafka_us,
        )


NOTHING_REFINED = RefinedFrames(0, 0, None)


class FrameRefinery:
    """Takes Bronze batches into silver.frames. Make one at each start of the query.

    Args:
        session: any session of the driver.
        registry: where writers' schemas come from.
        warn: told in one sentence of the first record that cannot be decoded.
        step: called before each commit.
        records_max: most Kafka records of a commit.

    """

    def __init__(
        self,
        session: SparkSession,
        registry: Registry,
        warn: Callable[[str], None],
        step: Callable[[], None] = lambda: None,
        records_max: int = RECORDS_MAX,
    ) -> None:
        self._registry = registry
        self._warn = warn
        self._step = step
        self._records_max = records_max
        #: Records that could not be decoded, since the start.
        self.undecodable = 0
        #: Next offset to take, by topic and partition.
        self.positions = taken(session, SILVER_FRAMES)

    def refine(self, records: DataFrame) -> RefinedFrames:
        """Take what the batch has, and what is missing before it, into silver.frames.

        Args:
            records: rows of bronze.frames, in a session of which this call may change settings.

        Raises:
            RegistryUnavailableError: a schema could not be asked for; the portion at hand was not
                committed.

        """
        session = records.sparkSession
        records.createOrReplaceTempView(BATCH)
        extents = session.sql(statement("extents", view=BATCH)).collect()
        end = at.advance(self.positions, spans_of(extents))
        count = sum(row.records for row in extents)
        if count <= self._records_max and all(is_next(self.positions, row) for row in extents):
            return self._take(records, end) if extents else NOTHING_REFINED
        refined = NOTHING_REFINED
        bronze = session.table(BRONZE_FRAMES.path)
        for portion in portions(session, BRONZE_FRAMES, self.positions, end, self._records_max):
            batch = bronze.where(at.within(at.spans_between(self.positions, portion)))
            refined = refined.plus(self._take(batch, portion))
        return refined

    def _take(self, records: DataFrame, end: Positions) -> RefinedFrames:
        session = records.sparkSession
        decoded = decode(records, "frame_batch", self._registry).drop("key", "value")
        keep_view(decoded.coalesce(1), BATCH)
        is_readable = statement("frames_readable")
        (measure,) = session.sql(
            statement("frames_measure", view=BATCH, is_readable=is_readable)
        ).collect()
        if measure.undecodable > 0 and self.undecodable == 0:
            first = measure.first_undecodable
            self._warn(
                f"Records of frames cannot be decoded and stay in bronze.frames: the first is"
                f" {first.topic}/{first.partition} at {first.offset}"
            )
        self._step()
        frames = session.sql(statement("frames", view=BATCH, is_readable=is_readable))
        with recording(session, end):
            frames.writeTo(SILVER_FRAMES.path).append()
        self.positions = end
        self.undecodable += measure.undecodable
        return RefinedFrames(
            rows=measure.readable + measure.undecodable,
            frames=measure.frames,
            newest_kafka_us=measure.newest_kafka_us,
        )


def start_frames(
    session: SparkSession,
    config: Config,
    refinery: FrameRefinery,
    seconds: float,
    report: Callable[[int, RefinedFrames, float], None],
) -> StreamingQuery:
    """Start the query with one batch every so many seconds.

    Args:
        session: the driver's session.
        config: where the checkpoint stands.
        refinery: takes the batches.
        seconds: time between two batches.
        report: told of each batch: its number, what it came to, its seconds.

    """

    def refine(records: DataFrame, batch_id: int) -> None:
        started = time.monotonic()
        refined = refinery.refine(records)
        report(batch_id, refined, time.monotonic() - started)

    context = session.sparkContext
    # What the query's thread inherits: its tasks share the machine fairly with all others together.
    context.setLocalProperty("spark.scheduler.pool", FRAMES)
    try:
        return (
            bronze_rows(session, BRONZE_FRAMES, RECORDS_MAX)
            .writeStream.foreachBatch(refine)
            .queryName(FRAMES)
            .option("checkpointLocation", f"{config.checkpoint_dir}/{FRAMES}")
            .trigger(processingTime=f"{seconds} seconds")
            .start()
        )
    finally:
        context.setLocalProperty("spark.scheduler.pool", None)
