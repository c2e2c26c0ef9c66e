"""Goal: positions say exactly what is consumed, and the SQL made of them selects just that.

Method: pure functions on small values; the SQL is looked at as text here and run by the tests of
the refinery.
"""

from __future__ import annotations

from positions import (
    Span,
    advance,
    count_offsets,
    format_positions,
    lowest,
    not_consumed,
    parse_positions,
    position,
    spans_between,
    within,
)


def test_text_is_compact_ordered_and_read_back() -> None:
    positions = {"b": {10: 1, 2: 5}, "a": {0: 7}}

    text = format_positions(positions)

    assert text == '{"a":{"0":7},"b":{"2":5,"10":1}}'
    assert parse_positions(text) == positions


def test_a_partition_never_seen_begins_at_zero() -> None:
    assert position({}, "a", 0) == 0
    assert position({"a": {0: 3}}, "a", 1) == 0


def test_advance_never_goes_back_and_leaves_its_argument_alone() -> None:
    before = {"a": {0: 5}}

    after = advance(before, [Span("a", 0, 1, 3), Span("a", 1, 0, 2), Span("b", 0, 4, 9)])

    assert after == {"a": {0: 5, 1: 2}, "b": {0: 9}}
    assert before == {"a": {0: 5}}


def test_spans_between_two_positions_are_what_the_later_one_has_more() -> None:
    spans = spans_between({"a": {0: 5, 1: 9}}, {"a": {0: 7, 1: 9}, "b": {0: 2}})

    assert spans == [Span("a", 0, 5, 7), Span("b", 0, 0, 2)]
    assert count_offsets(spans) == 4


def test_lowest_takes_zero_for_what_one_side_has_not_seen() -> None:
    assert lowest({"a": {0: 5, 1: 3}}, {"a": {0: 2}}) == {"a": {0: 2, 1: 0}}


def test_no_span_selects_nothing_and_no_position_leaves_everything() -> None:
    assert within([]) == "false"
    assert not_consumed({}) == "NOT false"


def test_conditions_name_topic_partition_and_both_ends() -> None:
    condition = "(topic = 't' AND partition = 2 AND offset >= 3 AND offset < 8)"

    assert within([Span("t", 2, 3, 8)]) == f"({condition})"
    assert not_consumed({"t": {2: 8}}) == f"NOT ({condition.replace('>= 3', '>= 0')})"
