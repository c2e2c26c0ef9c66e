"""Offsets that Kafka no longer has although they were never read.

Either their retention has passed, or the topic was made anew and counts from 0 again. Pure: the
comparison of two sets of offsets, and how it is said.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from positions import Positions


@dataclass(frozen=True)
class Held:
    """What Kafka holds of one partition: offsets from `first` up to but without `end`."""

    first: int
    end: int


#: topic -> partition -> what Kafka holds.
HeldOffsets = Mapping[str, Mapping[int, Held]]


@dataclass(frozen=True)
class Lost:
    """Offsets of one partition that were to be read next and are gone."""

    #: Kafka's name of the topic.
    topic: str
    partition: int
    first: int
    #: First offset that is there again; None where the topic was made anew, or is gone.
    end: int | None

    @property
    def reason(self) -> str:
        """What was lost, in words."""
        where = f"{self.topic}/{self.partition}"
        if self.end is None:
            return f"{where} was made anew in Kafka: what followed offset {self.first} is lost"
        return f"{where} has lost its offsets from {self.first} to {self.end - 1} in Kafka"


def lost_offsets(positions: Positions, held: HeldOffsets) -> list[Lost]:
    """Return what is to be read next, by the positions, and is gone.

    A partition without a position has lost nothing: reading begins with what is there.
    """
    return [
        Lost(topic, partition, offset, end)
        for topic, partitions in sorted(positions.items())
        for partition, offset in sorted(partitions.items())
        if (end := _end(offset, held.get(topic, {}).get(partition))) != offset
    ]


def _end(offset: int, held: Held | None) -> int | None:
    """Return where reading can go on: at the offset itself where nothing is lost."""
    if held is None or offset > held.end:
        return None
    return max(offset, held.first)


def ends_of_held(held: HeldOffsets) -> Positions:
    """Return the next offset of every partition of which Kafka holds something."""
    return {
        topic: {number: each.end for number, each in partitions.items() if each.first < each.end}
        for topic, partitions in held.items()
    }


def go_on_after(positions: Positions, lost: Collection[Lost]) -> Positions:
    """Return the positions past what is lost; a topic that was made anew is one never read."""
    remade = {each.topic for each in lost if each.end is None}
    ends = {(each.topic, each.partition): each.end for each in lost if each.end is not None}
    return {
        topic: {
            partition: ends.get((topic, partition), offset)
            for partition, offset in partitions.items()
        }
        for topic, partitions in positions.items()
        if topic not in remade
    }
