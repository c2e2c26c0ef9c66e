"""Goal: what is lost is found exactly, and said in words.

Method: pure functions on small values; the real broker is in the tests of Bronze.
"""

from __future__ import annotations

import pytest

from lost_offsets import Held, Lost, ends_of_held, go_on_after, lost_offsets

HELD = {"a": {0: Held(5, 9)}}


@pytest.mark.parametrize("offset", [5, 7, 9])
def test_what_kafka_holds_or_will_hold_is_not_lost(offset: int) -> None:
    assert lost_offsets({"a": {0: offset}}, HELD) == []


@pytest.mark.parametrize("offset", [0, 4])
def test_what_is_before_the_first_offset_is_lost(offset: int) -> None:
    assert lost_offsets({"a": {0: offset}}, HELD) == [Lost("a", 0, offset, 5)]


@pytest.mark.parametrize("held", [{"a": {0: Held(0, 9)}}, {"a": {}}, {}])
def test_an_offset_beyond_the_end_was_of_another_topic(held: dict[str, dict[int, Held]]) -> None:
    assert lost_offsets({"a": {0: 10}}, held) == [Lost("a", 0, 10, None)]


def test_a_partition_that_was_never_read_has_lost_nothing() -> None:
    assert lost_offsets({}, HELD) == []


def test_reading_goes_on_past_the_loss_and_from_the_start_of_a_topic_made_anew() -> None:
    positions = {"a": {0: 1, 1: 7}, "b": {0: 3, 1: 0}, "c": {0: 4}}
    lost = [Lost("a", 0, 1, 5), Lost("b", 0, 3, None)]

    assert go_on_after(positions, lost) == {"a": {0: 5, 1: 7}, "c": {0: 4}}


def test_what_kafka_has_nothing_of_has_no_end_to_wait_for() -> None:
    assert ends_of_held({"a": {0: Held(5, 9), 1: Held(7, 7)}}) == {"a": {0: 9}}


def test_a_loss_names_topic_partition_and_range() -> None:
    assert Lost("a", 2, 3, 6).reason == "a/2 has lost its offsets from 3 to 5 in Kafka"
    made_anew = "a/2 was made anew in Kafka: what followed offset 3 is lost"
    assert Lost("a", 2, 3, None).reason == made_anew
