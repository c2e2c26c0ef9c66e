"""Kafka's records into Bronze, by Iceberg's own streaming sink.

The sink writes query and epoch into each snapshot and leaves out an epoch that is there, so a batch
that is repeated after a crash lands once. That holds as long as the checkpoint lives; without one
the query goes on where the table ends, at the largest offset of each partition + 1. A query whose
next offsets Kafka has lost does not start until a person accepts it: see `accept()`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.streaming import DataStreamWriter, StreamingQuery

from checkpoints import drop_checkpoint, next_offsets
from config import Config
from generations import PROPERTY, in_bronze, in_kafka, read_generations, topic_column
from kafka_offsets import KafkaOffsets
from lost_offsets import HeldOffsets, Lost, go_on_after, lost_offsets
from positions import Positions, advance, position, spans_between
from snapshots import reached
from table_files import load, set_properties
from tables import Table

#: Spark's number for the first offset that Kafka still holds.
EARLIEST = -2
#: Name of what each batch observes: `newest_us`, the kafka_timestamp of its newest record.
LANDED = "landed"


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
        #: How often each of its topics was made.
        self.generations = read_generations(dict(load(session, table).properties()))
        planned = next_offsets(session, self._checkpoint)
        self._is_continued = planned is not None
        #: Where the query goes on, as Kafka names its topics.
        self._next = self._reached() if planned is None else planned
        self._asked_for = frozenset(topics)

    @property
    def topics(self) -> frozenset[str]:
        """Kafka's names of what the query reads."""
        return self._asked_for | self._next.keys()

    @property
    def positions(self) -> Positions:
        """Where the query goes on: next offset by topic and partition, named as in Bronze."""
        return self.in_bronze(self._next)

    def in_bronze(self, positions: Positions) -> Positions:
        """Name Kafka's topics as Bronze does."""
        return in_bronze(positions, self.generations)

    def lost(self, held: HeldOffsets) -> list[Lost]:
        """Return what the query was to read next and Kafka no longer has.

        Where only a batch that is in the table already would have to be read again, nothing is
        lost: then the checkpoint is dropped, and the query goes on where the table ends.
        """
        if not lost_offsets(self._next, held):
            return []
        furthest = self._furthest()
        lost = lost_offsets(furthest, held)
        if not lost:
            self._go_on_at(furthest)
        return lost

    def accept(self, lost: Collection[Lost], held: HeldOffsets) -> None:
        """Go on without what is lost, with a new checkpoint.

        A new checkpoint is a new query to the sink, and positions are those of the table, so that
        no record lands twice.
        """
        positions = go_on_after(self._furthest(), lost)
        for topic in sorted({each.topic for each in lost if each.end is None}):
            generation = self.generations.get(topic, 1) + 1
            property_ = {f"{PROPERTY}{topic}": str(generation)}
            set_properties(load(self._session, self._table), property_)
            self.generations = {**self.generations, topic: generation}
        self._asked_for = frozenset(topic for topic in self._asked_for if topic in held)
        self._go_on_at(positions)

    def records(self) -> DataFrame:
        """Return the stream of Kafka's records from where the query goes on."""
        starting = "earliest" if self._is_continued else self._starting_offsets()
        options = {
            **spark_options(self._config),
            "subscribe": ",".join(sorted(self.topics)),
            # Only looked at where there is no checkpoint.
            "startingOffsets": starting,
            "maxOffsetsPerTrigger": str(self._config.max_offsets_per_trigger),
            "failOnDataLoss": "true",
        }
        records = self._session.readStream.format("kafka").options(**options).load()
        return records.selectExpr(
            topic_column(self.generations),
            *("partition", "offset", "timestamp AS kafka_timestamp", "key", "value"),
        )

    def start(self, seconds: float) -> StreamingQuery:
        """Start the query with one batch every so many seconds."""
        writer = self.writer().trigger(processingTime=f"{seconds} seconds")
        return writer.toTable(self._table.path)

    def writer(self) -> DataStreamWriter:
        """Return what writes the records into the table, without a trigger."""
        return (
            self.records()
            # Stands in each batch's progress; it costs no pass of its own.
            .observe(LANDED, F.expr("unix_micros(max(kafka_timestamp)) AS newest_us"))
            # One file a batch and day: readers open each of them.
            .coalesce(1)
            .writeStream.format("iceberg")
            .outputMode("append")
            .queryName(self.name)
            .option("fanout-enabled", "true")
            .option("checkpointLocation", self._checkpoint)
        )

    def _starting_offsets(self) -> str:
        if not self._next:
            return "earliest"
        return starting_offsets(self._next, self._kafka.partitions(self.topics))

    def _reached(self) -> Positions:
        """Return where the table ends, as Kafka names its topics."""
        return in_kafka(reached(self._session, self._table, {}), self.generations)

    def _furthest(self) -> Positions:
        """Return where the checkpoint and the table end, whichever is further."""
        spans = spans_between({}, self._reached()) if self._is_continued else []
        return advance(self._next, spans)

    def _go_on_at(self, positions: Positions) -> None:
        drop_checkpoint(self._session, self._checkpoint)
        self._is_continued = False
        self._next = positions


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


def spark_options(config: Config) -> dict[str, str]:
    """Return the same properties as Spark's sources and writers want them. Secret."""
    return {f"kafka.{name}": value for name, value in client_options(config).items()}
