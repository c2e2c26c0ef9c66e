"""Topics that were made anew: what they are called in Bronze.

A topic that was deleted and made again counts its offsets from 0 again, and topic, partition and
offset are the key of a record in all tables. So each making of a topic is a topic of its own to the
lake, as it is to Kafka: `name` at first, then `name#2`, `name#3` (Kafka itself allows no `#`). The
number stands in a property of the Bronze table, because it must outlive any checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping

from positions import Positions

#: Prefix of the table property; the topic's name follows.
PROPERTY = "k2.generation."

#: Kafka's name of a topic -> how often it was made; one that is not here was made once.
Generations = Mapping[str, int]


def read_generations(properties: Mapping[str, str]) -> Generations:
    """Return the generations that a table's properties tell of."""
    return {
        name.removeprefix(PROPERTY): int(value)
        for name, value in properties.items()
        if name.startswith(PROPERTY)
    }


def bronze_name(topic: str, generations: Generations) -> str:
    """Return what a topic of Kafka is called in Bronze now."""
    generation = generations.get(topic, 1)
    return topic if generation == 1 else f"{topic}#{generation}"


def kafka_name(topic: str) -> str:
    """Return Kafka's name of a topic in Bronze."""
    return topic.partition("#")[0]


def in_bronze(positions: Positions, generations: Generations) -> Positions:
    """Name the topics of positions as Bronze does."""
    return {bronze_name(topic, generations): offsets for topic, offsets in positions.items()}


def in_kafka(positions: Positions, generations: Generations) -> Positions:
    """Name the topics of positions as Kafka does, leaving out what an earlier generation had."""
    return {
        kafka_name(topic): offsets
        for topic, offsets in positions.items()
        if bronze_name(kafka_name(topic), generations) == topic
    }


def topic_column(generations: Generations) -> str:
    """Return the SQL expression of Bronze's `topic`, from Kafka's."""
    cases = "".join(
        f" WHEN '{topic}' THEN '{bronze_name(topic, generations)}'"
        for topic, generation in sorted(generations.items())
        if generation > 1
    )
    return f"CASE topic{cases} ELSE topic END AS topic" if cases else "topic"
