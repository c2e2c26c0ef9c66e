"""What is done at a start about offsets that Kafka has lost: told, and accepted where asked for.

A query that has lost offsets stays stopped until a person accepts it, because to go on would make
the loss look like a quiet market. The others run, and what is in Bronze already is refined.
"""

from __future__ import annotations

import time
from collections.abc import Collection

from pyspark.sql import SparkSession

from bronze import BronzeQuery
from channel import Channel
from config import Config
from kafka_offsets import KafkaOffsets
from loss_events import write_loss_events
from registry import SchemaRegistry


def settle_losses(
    session: SparkSession,
    config: Config,
    channel: Channel,
    kafka: KafkaOffsets,
    registry: SchemaRegistry,
    queries: Collection[BronzeQuery],
) -> Collection[BronzeQuery]:
    """Compare the queries with Kafka.

    Args:
        session: the driver's session.
        config: where Kafka is, and whether losses are accepted.
        channel: where each loss is told.
        kafka: asked for what it holds.
        registry: where the schema of events comes from.
        queries: queries that have not been started.

    Returns:
        the queries that may start.

    """
    held = kafka.held({topic for query in queries for topic in query.topics})
    losses = {query: lost for query in queries if (lost := query.lost(held))}
    if not config.accept_lost_offsets:
        for query, lost in losses.items():
            for each in lost:
                channel.send(
                    "offsets_lost",
                    query=query.name,
                    topic=each.topic,
                    partition=each.partition,
                    first=each.first,
                    end=each.end,
                    reason=each.reason,
                )
        return [query for query in queries if query not in losses]
    # The events first: should the process end here, they are written again, and mean the same.
    told = [(each, query.generations) for query, lost in losses.items() for each in lost]
    write_loss_events(session, config, registry, told, time.time_ns() // 1_000)
    for query, lost in losses.items():
        query.accept(lost, held)
        for each in lost:
            channel.send("warning", reason=f"Accepted: {each.reason}")
    return queries
