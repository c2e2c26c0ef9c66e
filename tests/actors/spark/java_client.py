"""Speaks to Kafka by the Java client that Spark has, without Spark: tests of its options run it.

stdin: JSON, {"jars": [folder or jar, ...], "topic": name, "attempts": {name: options}}.
stdout: JSON, by attempt the number of records of the topic's first partition, or the words of the
error.
"""

from __future__ import annotations

import json
import sys

from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway
from py4j.protocol import Py4JJavaError

BYTES = "org.apache.kafka.common.serialization.ByteArrayDeserializer"


def count(gateway: JavaGateway, topic: str, options: dict[str, str]) -> int:
    """Return the number of records in a topic's partition 0."""
    jvm = gateway.jvm
    properties = jvm.java.util.Properties()
    given = {
        "key.deserializer": BYTES,
        "value.deserializer": BYTES,
        "default.api.timeout.ms": "9000",
    }
    for name, value in {**options, **given}.items():
        properties.setProperty(name, value)
    consumer = jvm.org.apache.kafka.clients.consumer.KafkaConsumer(properties)
    try:
        partitions = jvm.java.util.ArrayList()
        partitions.add(jvm.org.apache.kafka.common.TopicPartition(topic, 0))
        return int(next(iter(consumer.endOffsets(partitions).values())))
    finally:
        consumer.close()


def attempt(gateway: JavaGateway, topic: str, options: dict[str, str]) -> int | str:
    """Return the number of records, or why there is none."""
    try:
        return count(gateway, topic, options)
    except Py4JJavaError as error:
        cause = error.java_exception
        while cause.getCause() is not None:
            cause = cause.getCause()
        return str(cause)


def main() -> None:
    """Make every attempt."""
    given = json.load(sys.stdin)
    options = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData"]
    classpath = ":".join(given["jars"])
    port = launch_gateway(classpath=classpath, javaopts=options, die_on_exit=True)
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port))
    outcomes = {
        name: attempt(gateway, given["topic"], options)
        for name, options in given["attempts"].items()
    }
    print(json.dumps(outcomes))
    gateway.shutdown()


main()
