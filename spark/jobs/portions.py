"""A batch that is not just what follows: what it lacks is taken from Bronze itself, in portions.

A stream may hand over the files of one Bronze commit in any order, and one whose checkpoint is gone
begins anywhere: a batch then has a hole before it, or repeats what is done. A position always means
that everything before it is settled, so whatever lies between the positions and the end of the
batch comes from Bronze, at most so many offsets at a time: a hole may be as large as Bronze.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Protocol

from pyspark.sql import Row, SparkSession

from positions import Positions, Span, advance, position, spans_between, within
from statements import statement
from tables import Table

#: Portions that are planned at a time.
PLANNED_MAX = 10_000


class Extent(Protocol):
    """What a batch holds of one topic and partition."""

    topic: str
    partition: int
    first_offset: int
    end_offset: int
    #: Number of records.
    records: int


def spans_of(extents: Iterable[Extent]) -> list[Span]:
    """Return the offsets that a batch reaches over, by topic and partition."""
    return [
        Span(each.topic, each.partition, each.first_offset, each.end_offset) for each in extents
    ]


def is_next(positions: Positions, extent: Extent) -> bool:
    """Say whether the extent is whole and begins at its position."""
    is_whole = extent.end_offset - extent.first_offset == extent.records
    return is_whole and extent.first_offset == position(positions, extent.topic, extent.partition)


def portions(
    session: SparkSession, bronze: Table, positions: Positions, end: Positions, offsets_max: int
) -> Iterator[Positions]:
    """Yield where each portion ends, from the positions up to the end; nothing where they are one.

    Args:
        session: any session.
        bronze: the table to take from.
        positions: what is settled.
        end: where the last portion ends.
        offsets_max: most offsets of a portion.

    """
    while hole := spans_between(positions, end):
        rows = session.sql(
            statement(
                "portions",
                table=bronze.path,
                hole=within(hole),
                size=max(1, offsets_max // len(hole)),
                count_max=PLANNED_MAX,
            )
        ).collect()
        if not rows:
            return
        for ends in _portions(rows):
            positions = advance(positions, ends)
            yield positions


def _portions(rows: Iterable[Row]) -> Iterator[list[Span]]:
    """Yield the first end of every partition, then the second, and so on."""
    by_partition: dict[tuple[str, int], list[Span]] = {}
    for row in rows:
        span = Span(row.topic, row.partition, 0, row.end_offset)
        by_partition.setdefault((row.topic, row.partition), []).append(span)
    for ends in zip_longest(*by_partition.values()):
        yield [end for end in ends if end is not None]
