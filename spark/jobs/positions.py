"""Consumed positions: how far a table has taken in Kafka's records.

A position is the next offset to consume of one topic and partition; everything before it has its
outcome in the table. Each commit to Silver and Gold carries the positions in its snapshot summary,
in the same atomic step as the rows, so that after any crash the tables themselves say what is done:
a checkpoint may be lost or lag behind, and nothing is doubled. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

#: Name of the property in a snapshot's summary.
CONSUMED = "k2.consumed"

#: topic -> partition -> next offset.
Positions = Mapping[str, Mapping[int, int]]


@dataclass(frozen=True)
class Span:
    """Offsets of one topic and partition, from `first` up to but without `end`."""

    topic: str
    partition: int
    first: int
    end: int


def parse_positions(text: str) -> Positions:
    """Read the JSON of a snapshot summary."""
    return read_positions(json.loads(text))


def read_positions(values: Mapping[str, Mapping[str, int]]) -> Positions:
    """Return the positions in JSON's objects, whose names are text."""
    return {
        topic: {int(partition): int(offset) for partition, offset in partitions.items()}
        for topic, partitions in values.items()
    }


def format_positions(positions: Positions) -> str:
    """Write positions as the JSON of a snapshot summary: compact, in a fixed order."""
    text = {
        topic: {str(partition): offsets[partition] for partition in sorted(offsets)}
        for topic, offsets in sorted(positions.items())
    }
    return json.dumps(text, separators=(",", ":"))


def position(positions: Positions, topic: str, partition: int) -> int:
    """Return the next offset to consume, 0 for a partition never seen."""
    return positions.get(topic, {}).get(partition, 0)


def advance(positions: Positions, spans: Iterable[Span]) -> Positions:
    """Return the positions after the spans; a position never goes back."""
    after = {topic: dict(partitions) for topic, partitions in positions.items()}
    for span in spans:
        partitions = after.setdefault(span.topic, {})
        partitions[span.partition] = max(partitions.get(span.partition, 0), span.end)
    return after


def spans_between(earlier: Positions, later: Positions) -> list[Span]:
    """Return what the later positions have consumed and the earlier ones have not."""
    return [
        Span(topic, partition, consumed, end)
        for topic, partitions in later.items()
        for partition, end in partitions.items()
        if (consumed := position(earlier, topic, partition)) < end
    ]


def first_portion(earlier: Positions, later: Positions, offsets_max: int) -> Positions:
    """Return the positions after at most so many offsets of each partition, from the earlier."""
    return advance(
        earlier,
        [
            Span(span.topic, span.partition, span.first, min(span.end, span.first + offsets_max))
            for span in spans_between(earlier, later)
        ],
    )


def lowest(one: Positions, other: Positions) -> Positions:
    """Return, for each partition, the lower of two positions."""
    return {
        topic: {
            partition: min(offset, position(other, topic, partition))
            for partition, offset in partitions.items()
        }
        for topic, partitions in one.items()
    }


def count_offsets(spans: Iterable[Span]) -> int:
    """Return the number of offsets in the spans."""
    return sum(span.end - span.first for span in spans)


def not_consumed(positions: Positions) -> str:
    """Return the SQL condition that holds for records at or after the positions."""
    return f"NOT {within(spans_between({}, positions))}"


def within(spans: Iterable[Span]) -> str:
    """Return the SQL condition that holds for records in one of the spans."""
    conditions = [
        f"(topic = '{span.topic}' AND partition = {span.partition}"
        f" AND offset >= {span.first} AND offset < {span.end})"
        for span in spans
    ]
    return "(" + " OR ".join(conditions) + ")" if conditions else "false"
