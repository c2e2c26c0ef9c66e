"""Kafka's records into Bronze, by Iceberg's own streaming sink.

The sink writes query and epoch into each snapshot and leaves out an epoch that is there, so a batch
that is repeated after a crash lands once. That holds as long as the checkpoint lives; without one
the query goes on where the table ends, at the largest offset of each partition + 1.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import DataStreamWriter, StreamingQuery

from config import Config
from kafka_offsets import KafkaOffsets
from positions import Positions, parse_positions, position
from snapshots import reached
from tables import Table

#: Spark's number for the first offset that Kafka still holds.
EARLIEST = -2


class BronzeQuery:
    """The query that appends Kafka topics to one Bronze table.

    Args:
        session: the driver's session.
        config: where Kafka is, and where the checkpoint stands.
        kafka: asks the same Kafka.
        table: the table to append to.
        topics: the topics to read. One that the query has read before stays in it: Spark takes a
            topic that is left out for lost data.

    """

    def __init__(
        self,
        session: SparkSession,
        config: Config,
        kafka: KafkaOffsets,
        table: Table,
        topics: Iterable[str],
    ) -> None:
        self._session = session
        self._config = config
        self._kafka = kafka
        self._table = table
        #: Name of the query, and of its folder among the checkpoints.
        self.name = table.name.replace(".", "_")
        self._checkpoint = f"{config.checkpoint_dir}/{self.name}"
        planned = _planned(session, self._checkpoint)
        self._is_continued = planned is not None
        #: Where the query goes on: next offset by topic and partition.
        self.positions = reached(session, table, {}) if planned is None else planned
        #: The topics that it reads.
        self.topics = sorted({*topics, *self.positions})

    def records(self) -> DataFrame:
        """Return the stream of Kafka's records from where the query goes on."""
        starting = "earliest" if self._is_continued else self._starting_offsets()
        options = {
            **{f"kafka.{name}": value for name, value in client_options(self._config).items()},
            "subscribe": ",".join(self.topics),
            # Only looked at where there is no checkpoint.
            "startingOffsets": starting,
            "maxOffsetsPerTrigger": str(self._config.max_offsets_per_trigger),
            "failOnDataLoss": "true",
        }
        records = self._session.readStream.format("kafka").options(**options).load()
        return records.selectExpr(
            "topic", "partition", "offset", "timestamp AS kafka_timestamp", "key", "value"
        )

    def start(self, seconds: float) -> StreamingQuery:
        """Start the query with one batch every so many seconds."""
        writer = self.writer().trigger(processingTime=f"{seconds} seconds")
        return writer.toTable(self._table.path)

    def writer(self) -> DataStreamWriter:
        """Return what writes the records into the table, without a trigger."""
        return (
            self.records()
            # One file a batch and day: readers open each of them.
            .coalesce(1)
            .writeStream.format("iceberg")
            .outputMode("append")
            .queryName(self.name)
            .option("fanout-enabled", "true")
            .option("checkpointLocation", self._checkpoint)
        )

    def _starting_offsets(self) -> str:
        if not self.positions:
            return "earliest"
        return starting_offsets(self.positions, self._kafka.partitions(self.topics))


def bronze_rows(session: SparkSession, table: Table, rows_max: int) -> DataFrame:
    """Return the stream of a Bronze table's rows, so many a batch at most.

    Retention and compaction change files and no row that is still to be read.
    """
    return (
        session.readStream.format("iceberg")
        .option("streaming-max-rows-per-micro-batch", str(rows_max))
        .option("streaming-skip-delete-snapshots", "true")
        .option("streaming-skip-overwrite-snapshots", "true")
        .load(table.path)
    )


def starting_offsets(positions: Positions, partitions: Mapping[str, int]) -> str:
    """Return Spark's `startingOffsets`: the positions, and from the earliest what has none.

    Args:
        positions: where Bronze ends.
        partitions: number of partitions by topic; Spark wants every one of them named.

    """
    offsets = {
        topic: {
            str(partition): position(positions, topic, partition) or EARLIEST
            for partition in range(count)
        }
        for topic, count in partitions.items()
    }
    return json.dumps(offsets)


def client_options(config: Config) -> dict[str, str]:
    """Return the properties of Kafka's Java client. Secret."""
    given = {n.removeprefix("kafka."): value for n, value in config.kafka_options.items()}
    return {**given, "bootstrap.servers": config.bootstrap_servers}


def _planned(session: SparkSession, checkpoint: str) -> Positions | None:
    """Return where the newest batch of a checkpoint ends, None without a checkpoint."""
    path = session._jvm.org.apache.hadoop.fs.Path(f"{checkpoint}/offsets")
    files = path.getFileSystem(session._jsparkSession.sessionState().newHadoopConf())
    if not files.exists(path):
        return None
    names = (status.getPath().getName() for status in files.listStatus(path))
    batches = [int(name) for name in names if name.isdigit()]
    if not batches:
        return None
    lines = session.read.text(f"{checkpoint}/offsets/{max(batches)}", wholetext=True).first()
    return parse_positions(lines.value.strip().splitlines()[-1]) if lines else None
