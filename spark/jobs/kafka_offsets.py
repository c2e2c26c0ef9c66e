"""What Kafka still holds of some topics: the first and the next offset of each partition.

Asked of the brokers themselves, by the client that stands in Spark's JVM anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession

from config import Config
from lost_offsets import Held, HeldOffsets
from positions import Positions

ANSWER_S_MAX = 30


class KafkaUnavailableError(Exception):
    """The brokers gave no answer."""


def kafka_options(config: Config) -> dict[str, str]:
    """Return Spark's options of the Kafka client: where it is and who we are. Secret."""
    prefixed = {
        name if name.startswith("kafka.") else f"kafka.{name}": value
        for name, value in config.kafka_options.items()
    }
    return {**prefixed, "kafka.bootstrap.servers": config.bootstrap_servers}


class KafkaOffsets:
    """One connection to the brokers, for as long as the process lives.

    Args:
        session: any session of the driver.
        config: where Kafka is.

    """

    def __init__(self, session: SparkSession, config: Config) -> None:
        self._java = session._jvm.java
        self._kafka = session._jvm.org.apache.kafka
        properties = self._java.util.Properties()
        for name, value in kafka_options(config).items():
            properties.setProperty(name.removeprefix("kafka."), value)
        self._admin = self._kafka.clients.admin.AdminClient.create(properties)

    def held(self, topics: Iterable[str]) -> HeldOffsets:
        """Return what Kafka holds, by topic and partition; a topic that is not there is left out.

        Raises:
            KafkaUnavailableError: there is no answer within half a minute.

        """
        counts = self._count_partitions(topics)
        offset_spec = self._kafka.clients.admin.OffsetSpec
        firsts = self._list_offsets(counts, offset_spec.earliest())
        ends = self._list_offsets(counts, offset_spec.latest())
        return {
            topic: {
                partition: Held(firsts[topic][partition], ends[topic][partition])
                for partition in range(count)
            }
            for topic, count in counts.items()
        }

    def ends(self, topics: Iterable[str]) -> Positions:
        """Return the next offset of each partition; a topic that is not there is left out.

        Raises:
            KafkaUnavailableError: there is no answer within half a minute.

        """
        latest = self._kafka.clients.admin.OffsetSpec.latest()
        return self._list_offsets(self._count_partitions(topics), latest)

    def _count_partitions(self, topics: Iterable[str]) -> dict[str, int]:
        existing = set(self._answer(self._admin.listTopics().names()))
        names = self._java.util.ArrayList()
        for topic in sorted({*topics} & existing):
            names.add(topic)
        described = self._answer(self._admin.describeTopics(names).allTopicNames())
        return {topic: described[topic].partitions().size() for topic in names}

    def _list_offsets(self, counts: Mapping[str, int], spec: Any) -> Positions:
        asked = self._java.util.HashMap()
        for topic, count in counts.items():
            for partition in range(count):
                asked.put(self._kafka.common.TopicPartition(topic, partition), spec)
        found: dict[str, dict[int, int]] = {topic: {} for topic in counts}
        for entry in self._answer(self._admin.listOffsets(asked).all()).entrySet():
            place = entry.getKey()
            found[place.topic()][place.partition()] = entry.getValue().offset()
        return found

    def _answer(self, future: Any) -> Any:
        try:
            return future.get(ANSWER_S_MAX, self._java.util.concurrent.TimeUnit.SECONDS)
        except Py4JJavaError as error:
            reason = str(error.java_exception)
            raise KafkaUnavailableError(f"Kafka does not say its offsets: {reason}") from error
