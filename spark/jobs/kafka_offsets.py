"""Where Kafka's topics begin and end, asked of the brokers through Spark's own client library."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from lost_offsets import Held, HeldOffsets
from positions import Positions

TIMEOUT_S = 30


class KafkaUnavailableError(Exception):
    """The brokers gave no answer."""


class KafkaOffsets:
    """One connection to the brokers, for as long as the process lives.

    Args:
        session: any session of the driver.
        options: properties of Kafka's Java client, without Spark's prefix. Secret.

    """

    def __init__(self, session: SparkSession, options: Mapping[str, str]) -> None:
        self._java = session._jvm.java
        kafka = session._jvm.org.apache.kafka
        # Found once: the JVM looks for each part of a name in every jar.
        self._offset_spec = kafka.clients.admin.OffsetSpec
        self._topic_partition = kafka.common.TopicPartition
        properties = self._java.util.Properties()
        for name, value in options.items():
            properties.setProperty(name, value)
        self._admin = kafka.clients.admin.AdminClient.create(properties)

    def partitions(self, topics: Iterable[str]) -> dict[str, int]:
        """Return the number of partitions of each topic."""
        names = self._java.util.ArrayList()
        for topic in topics:
            names.append(topic)
        described = self._answer(self._admin.describeTopics(names).allTopicNames())
        return {topic: described.get(topic).partitions().size() for topic in topics}

    def held(self, topics: Iterable[str]) -> HeldOffsets:
        """Return what Kafka holds of the topics; one that does not exist is left out."""
        names = self._answer(self._admin.listTopics().names())
        counts = self.partitions([topic for topic in topics if names.contains(topic)])
        firsts = self._offsets(counts, self._offset_spec.earliest())
        ends = self._offsets(counts, self._offset_spec.latest())
        return {
            topic: {partition: Held(firsts[topic][partition], end) for partition, end in of.items()}
            for topic, of in ends.items()
        }

    def _offsets(self, counts: Mapping[str, int], at: Any) -> Positions:
        asked = self._java.util.HashMap()
        for topic, count in counts.items():
            for partition in range(count):
                asked[self._topic_partition(topic, partition)] = at
        found = self._answer(self._admin.listOffsets(asked).all())
        positions: dict[str, dict[int, int]] = {}
        for key in asked:
            positions.setdefault(key.topic(), {})[key.partition()] = found.get(key).offset()
        return positions

    def _answer(self, future: Any) -> Any:
        try:
            return future.get(TIMEOUT_S, self._java.util.concurrent.TimeUnit.SECONDS)
        except Py4JJavaError as error:
            reason = str(error.java_exception.getMessage())
            raise KafkaUnavailableError(f"Kafka does not say its offsets: {reason}") from error
