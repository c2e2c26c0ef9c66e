"""Goal: a hole is taken in bounded portions that cover it, in order, whatever Bronze lacks.

Method: real rows of Bronze; the portions are read back as conditions on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

import portions as module
from lake import TOPIC, Lake
from portions import is_next, portions
from positions import Positions, spans_between, within
from tables import BRONZE_TRADES


@dataclass
class Held:
    """What a batch holds of a partition."""

    topic: str
    partition: int
    first_offset: int
    end_offset: int
    records: int


def taken(lake: Lake, start: Positions, end: Positions, offsets_max: int) -> list[list[int]]:
    """Return the offsets of each portion."""
    found, positions = [], start
    for portion in portions(lake.spark, BRONZE_TRADES, start, end, offsets_max):
        condition = within(spans_between(positions, portion))
        rows = lake.spark.table(BRONZE_TRADES.path).where(condition).collect()
        found.append(sorted(row.offset for row in rows))
        positions = portion
    return found


def test_a_batch_is_next_only_if_it_is_whole_and_begins_at_the_position() -> None:
    positions = {"a": {0: 5}}

    assert is_next(positions, Held("a", 0, 5, 8, 3))
    assert is_next(positions, Held("a", 1, 0, 1, 1))
    assert not is_next(positions, Held("a", 0, 6, 8, 2))
    assert not is_next(positions, Held("a", 0, 5, 8, 2))


@pytest.mark.parametrize("planned_max", [1, 10_000])
def test_portions_cover_the_hole_of_every_partition_in_order(
    lake: Lake, planned_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PLANNED_MAX", planned_max)
    lake.land([b""] * 11)
    lake.land([b""] * 3, partition=1)

    found = taken(lake, {TOPIC: {0: 3}}, {TOPIC: {0: 10, 1: 3}}, 4)

    assert sorted(offset for portion in found for offset in portion) == sorted(
        [*range(3, 10), *range(3)]
    )
    assert all(len(portion) <= 4 for portion in found)
    assert len(found) > 2


def test_offsets_that_bronze_does_not_have_are_no_portions(lake: Lake) -> None:
    lake.land([b""] * 4)
    lake.skip(1_000_000_000)
    lake.land([b""] * 4)

    found = taken(lake, {TOPIC: {0: 2}}, {TOPIC: {0: 1_000_000_008}}, 10)

    assert found == [[2, 3], [*range(1_000_000_004, 1_000_000_008)]]


def test_what_is_settled_has_no_portions(lake: Lake) -> None:
    lake.land([b""] * 4)

    assert taken(lake, {TOPIC: {0: 4}}, {TOPIC: {0: 4}}, 2) == []
