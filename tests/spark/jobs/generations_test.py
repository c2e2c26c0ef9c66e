"""Goal: a topic that was made anew never shares a name with its predecessor in the lake.

Method: pure functions on small values.
"""

from __future__ import annotations

from generations import (
    bronze_name,
    in_bronze,
    in_kafka,
    kafka_name,
    read_generations,
    topic_column,
)

GENERATIONS = {"a": 3}


def test_properties_of_a_table_tell_the_generations_and_others_do_not() -> None:
    properties = {"k2.generation.a": "3", "write.format.default": "parquet"}

    assert read_generations(properties) == GENERATIONS


def test_names_are_kafkas_own_until_a_topic_is_made_anew() -> None:
    assert [bronze_name(topic, GENERATIONS) for topic in ("a", "b")] == ["a#3", "b"]
    assert [kafka_name(topic) for topic in ("a", "a#3")] == ["a", "a"]


def test_positions_of_earlier_generations_mean_nothing_to_kafka() -> None:
    assert in_bronze({"a": {0: 1}, "b": {0: 2}}, GENERATIONS) == {"a#3": {0: 1}, "b": {0: 2}}
    stored = {"a": {0: 9}, "a#2": {0: 8}, "a#3": {0: 1}, "b": {0: 2}}
    assert in_kafka(stored, GENERATIONS) == {"a": {0: 1}, "b": {0: 2}}


def test_the_column_is_only_changed_where_it_must_be() -> None:
    assert topic_column({}) == topic_column({"a": 1}) == "topic"
    assert topic_column(GENERATIONS) == "CASE topic WHEN 'a' THEN 'a#3' ELSE topic END AS topic"
