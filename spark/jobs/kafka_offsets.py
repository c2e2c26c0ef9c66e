"""What Kafka still holds of some topics: the first and the next offset of each partition.

Asked of the brokers themselves, by the client that stands in Spark's JVM anyway.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pyspark.sql import SparkSession

from config import Config
from lost_offsets import Held, HeldOffsets

ADMIN_TIMEOUT_S = 30


def kafka_options(config: Config) -> dict[str, str]:
    """Return Spark's options of the Kafka client: where it is and who we are. Secret."""
    prefixed = {
        name if name.startswith("kafka.") else f"kafka.{name}": value
        for name, value in config.kafka_options.items()
    }
    return {**prefixed, "kafka.bootstrap.servers": config.bootstrap_servers}


def held_offsets(session: SparkSession, config: Config, topics: Iterable[str]) -> HeldOffsets:
    """Return what Kafka holds, by topic and partition; a topic that does not exist is left out.

    Raises:
        py4j.protocol.Py4JJavaError: Kafka does not answer within half a minute.

    """
    jvm = session._jvm
    properties = jvm.java.util.Properties()
    for name, value in kafka_options(config).items():
        properties.setProperty(name.removeprefix("kafka."), value)
    admin = jvm.org.apache.kafka.clients.admin.AdminClient.create(properties)
    try:
        existing = set(_get(jvm, admin.listTopics().names()))
        names = jvm.java.util.ArrayList()
        for topic in sorted({*topics} & existing):
            names.add(topic)
        described = _get(jvm, admin.describeTopics(names).allTopicNames())
        counts = {topic: described[topic].partitions().size() for topic in names}
        offset_spec = jvm.org.apache.kafka.clients.admin.OffsetSpec
        firsts = _list_offsets(jvm, admin, counts, offset_spec.earliest())
        ends = _list_offsets(jvm, admin, counts, offset_spec.latest())
    finally:
        admin.close()
    return {
        topic: {
            partition: Held(firsts[topic, partition], ends[topic, partition])
            for partition in range(count)
        }
        for topic, count in counts.items()
    }


def _list_offsets(
    jvm: Any, admin: Any, counts: Mapping[str, int], spec: Any
) -> dict[tuple[str, int], int]:
    asked = jvm.java.util.HashMap()
    for topic, count in counts.items():
        for partition in range(count):
            asked.put(jvm.org.apache.kafka.common.TopicPartition(topic, partition), spec)
    found = _get(jvm, admin.listOffsets(asked).all())
    return {
        (entry.getKey().topic(), entry.getKey().partition()): entry.getValue().offset()
        for entry in found.entrySet()
    }


def _get(jvm: Any, future: Any) -> Any:
    return future.get(ADMIN_TIMEOUT_S, jvm.java.util.concurrent.TimeUnit.SECONDS)
