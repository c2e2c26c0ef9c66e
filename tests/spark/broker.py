"""A real Kafka for the tests of the lake: one broker, and what is done to it from outside.

The broker is the embedded one of the platform, from the same jars. Records and topics are made by
the client that stands in Spark's JVM anyway.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from waiting import WAIT_S_MAX, until

#: Sixteen bytes in base64url; no other cluster is near.
CLUSTER_ID = "AAAAAAAAQACAAAAAAAAAAQ"


class Broker:
    """One broker, for as long as the tests run."""

    def __init__(self, folder: Path, jars: Path) -> None:
        port, controller = _free_port(), _free_port()
        #: `host:port` for clients.
        self.address = f"127.0.0.1:{port}"
        properties = folder / "server.properties"
        lines = (f"{name}={value}\n" for name, value in _settings(folder, port, controller).items())
        properties.write_text("".join(lines), encoding="utf-8")
        java = ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-cp", f"{jars}/*"]
        tool = ["kafka.tools.StorageTool", "format", "--standalone", "-t", CLUSTER_ID, "-c"]
        subprocess.run([*java, *tool, str(properties)], check=True, capture_output=True)
        log = (folder / "broker.log").open("w")
        self._process = subprocess.Popen(
            [*java, "kafka.Kafka", str(properties)], stdout=log, stderr=log, cwd=folder
        )
        until("the broker", lambda: self._answers(port, folder / "broker.log"))

    def stop(self) -> None:
        """Kill it: nobody needs its records any more."""
        self._process.kill()
        self._process.wait()

    def _answers(self, port: int, log: Path) -> bool:
        assert self._process.poll() is None, log.read_text()
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0


class Topics:
    """Topics of a broker, by the client in the session's JVM."""

    def __init__(self, spark: SparkSession, address: str) -> None:
        self._gateway = spark.sparkContext._gateway
        self._jvm = spark._jvm
        properties = self._jvm.java.util.Properties()
        properties.setProperty("bootstrap.servers", address)
        for kind in ("key", "value"):
            name = "org.apache.kafka.common.serialization.ByteArraySerializer"
            properties.setProperty(f"{kind}.serializer", name)
        clients = self._jvm.org.apache.kafka.clients
        self._admin = clients.admin.AdminClient.create(properties)
        self._producer = clients.producer.KafkaProducer(properties)

    def close(self) -> None:
        """Let go of the clients."""
        self._producer.close()
        self._admin.close()

    def create(self, topic: str, partitions: int = 1) -> None:
        """Make a topic."""
        new = self._jvm.org.apache.kafka.clients.admin.NewTopic(topic, partitions, 1)
        self._wait(self._admin.createTopics(self._list([new])).all())

    def delete(self, topic: str) -> None:
        """Delete a topic and wait until it is gone."""
        self._wait(self._admin.deleteTopics(self._list([topic])).all())
        names = self._admin.listTopics
        until(f"the end of {topic}", lambda: not self._wait(names().names()).contains(topic))

    def produce(self, topic: str, values: Iterable[bytes], partition: int = 0) -> None:
        """Append records to a partition, one after the other."""
        record = self._jvm.org.apache.kafka.clients.producer.ProducerRecord
        for value in values:
            sent = self._producer.send(
                record(topic, partition, bytearray(b"key"), bytearray(value))
            )
        self._producer.flush()
        self._wait(sent)

    def lose(self, topic: str, before: int, partition: int = 0) -> None:
        """Delete what is before an offset, as retention does."""
        where = self._jvm.org.apache.kafka.common.TopicPartition(topic, partition)
        asked = self._jvm.java.util.HashMap()
        asked.put(where, self._records_before(before))
        self._wait(self._admin.deleteRecords(asked).all())

    def _records_before(self, offset: int) -> Any:
        """Call RecordsToDelete.beforeOffset, which py4j takes for the getter of the same name."""
        java = self._jvm.java.lang
        loader = java.Thread.currentThread().getContextClassLoader()
        name = "org.apache.kafka.clients.admin.RecordsToDelete"
        types = self._gateway.new_array(java.Class, 1)
        types[0] = java.Long.TYPE
        values = self._gateway.new_array(java.Object, 1)
        values[0] = java.Long.valueOf(offset)
        method = java.Class.forName(name, True, loader).getMethod("beforeOffset", types)
        return method.invoke(None, values)

    def _list(self, items: Iterable[Any]) -> Any:
        found = self._jvm.java.util.ArrayList()
        for item in items:
            found.add(item)
        return found

    def _wait(self, future: Any) -> Any:
        return future.get(WAIT_S_MAX, self._jvm.java.util.concurrent.TimeUnit.SECONDS)


def _settings(folder: Path, port: int, controller: int) -> Mapping[str, object]:
    listeners = f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}"
    return {
        "process.roles": "broker,controller",
        "node.id": 1,
        "listeners": listeners,
        "advertised.listeners": listeners,
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
        "log.dirs": f"{folder}/records",
        "auto.create.topics.enable": "false",
        "log.cleaner.dedupe.buffer.size": 1_048_577,
        "offsets.topic.replication.factor": 1,
        "group.initial.rebalance.delay.ms": 0,
    }


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])
