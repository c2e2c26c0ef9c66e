"""Goal: Silver and Gold are exact whatever happens to a batch.

Method: real Iceberg tables; Bronze rows appended by the test and given to `Refinery.refine`, as
the stream gives them. Bars are compared with a second computation in Python's decimal.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from decimal import Decimal

import pytest

from avro_encoding import confluent, record
from lake import EXACT, MINUTE_US, NOON_US, SCHEMA_ID, Lake, encode, expected_bars, trade
from minutes import MINUTES
from record_schema import trade_schema
from registry import RegistryUnavailableError
from silver import REASONS


class CutOffError(Exception):
    """Stands for the death of the process."""


def dying_at(boundary: str) -> Callable[[str], None]:
    def reach(reached: str) -> None:
        if reached == boundary:
            raise CutOffError(boundary)

    return reach


def test_trades_reach_silver_and_gold_with_their_digits(lake: Lake) -> None:
    trades = [
        trade(1, price="64522.19000000", quantity="0.00775000"),
        trade(2, native_symbol="X", price="0.000000000000000003", quantity="99999999999999999999"),
        trade(3, price="20000.123", quantity="1000000000.5"),
        trade(4, price="12345678901234567.5", quantity="0.000000000000000002"),
        trade(5, native_symbol="ETH/USD", price="2", quantity="3", source="BACKFILL"),
    ]

    refined = lake.take(trades)

    assert (refined.rows, refined.trades) == (5, 5)
    assert lake.quarantined() == {}
    for row in (*lake.rows("silver.trades"), *lake.rows("gold.trades")):
        sent = trades[int(row.trade_id) - 1]
        product = EXACT.multiply(Decimal(sent["price"]), Decimal(sent["quantity"]))
        assert (row.price, row.quantity) == (Decimal(sent["price"]), Decimal(sent["quantity"]))
        assert row.quote_quantity == product
        assert (row.side, row.source, row.vendor_data) == (
            *(sent["side"], sent["source"]),
            sent["vendor_data"],
        )
    assert lake.bars() == expected_bars(trades)


INVALID = {
    "empty": (b"", "bad_header"),
    "no value at all": (None, "bad_header"),
    "another format": (b'{"price": 1}', "bad_header"),
    "cut off in the header": (b"\0\0\0", "bad_header"),
    "an id nobody registered": (confluent(99, b"abc"), "unknown_schema"),
    "an id that no registry could give": (confluent(2**32 - 1, b"abc"), "unknown_schema"),
    "cut off in the body": (encode(trade(1))[:-9], "undecodable"),
    "not Avro": (confluent(SCHEMA_ID, b"\xff" * 40), "undecodable"),
    "no body": (confluent(SCHEMA_ID, b""), "undecodable"),
    "no exchange": (encode(trade(1, exchange="")), "id_missing"),
    "no trade id": (encode(trade(1, trade_id="")), "id_missing"),
    "a trade id with letters": (encode(trade(1, trade_id="12a")), "trade_id_unreadable"),
    "a negative trade id": (encode(trade(1, trade_id="-1")), "trade_id_unreadable"),
    "a trade id with a line end": (encode(trade(1, trade_id="1\n")), "trade_id_unreadable"),
    "trade id 2^63": (encode(trade(1, trade_id=str(2**63))), "trade_id_unreadable"),
    "another trade's id": (encode(trade(1, message_id="a:b:2")), "message_id_mismatch"),
    "price zero": (encode(trade(1, price="0")), "price_not_positive"),
    "price below zero": (encode(trade(1, price="-1")), "price_not_positive"),
    "quantity zero": (encode(trade(1, quantity="0")), "quantity_not_positive"),
    "before 2009": (encode(trade(1, timestamp=1_230_767_999_999_999)), "timestamp_before_2009"),
    "before all times": (encode(trade(1, timestamp=-(2**63))), "timestamp_before_2009"),
    "five minutes ahead": (
        encode(trade(1, ingestion_timestamp=NOON_US + 1_000_000 - 300_000_001)),
        "timestamp_in_future",
    ),
    "after all times": (encode(trade(1, timestamp=2**63 - 1)), "out_of_range"),
    "received after all times": (
        encode(trade(1, ingestion_timestamp=2**63 - 1)),
        "out_of_range",
    ),
    "a product with 19 decimals": (
        encode(trade(1, price="0.000000000000000001", quantity="0.5")),
        "out_of_range",
    ),
    "a product with 21 digits": (
        encode(trade(1, price="10000000000", quantity="10000000000")),
        "out_of_range",
    ),
}


def test_each_record_has_one_outcome_and_invalid_ones_the_right_reason(lake: Lake) -> None:
    valid = [trade(number) for number in range(100, 200)]
    values = [encode(values) for values in valid] + [value for value, _ in INVALID.values()]
    reasons = [None] * len(valid) + [reason for _, reason in INVALID.values()]
    mixed = random.Random(1).sample(list(zip(values, reasons, strict=True)), len(values))

    rows = lake.land([value for value, _ in mixed])
    lake.refinery().refine(lake.batch(rows))

    found = lake.quarantined()
    assert found == {offset: r for offset, (_, r) in enumerate(mixed) if r is not None}
    kept = {row.offset: row.value for row in lake.rows("silver.quarantine")}
    assert all(bytes(kept[o] or b"") == (mixed[o][0] or b"") for o in kept)
    silver = {row.offset for row in lake.rows("silver.trades")}
    assert silver == {offset for offset, (_, reason) in enumerate(mixed) if reason is None}
    assert len(lake.rows("gold.trades")) == len(valid)
    assert set(found.values()) <= set(REASONS)


def test_each_record_of_a_batch_is_read_by_the_schema_it_was_written_with(lake: Lake) -> None:
    fields = trade_schema()["fields"]
    further = {"name": "liquidation", "type": "long", "default": 0}
    newer = {**trade_schema(), "fields": [further, *fields]}
    reordered = {**trade_schema(), "fields": list(reversed(fields))}
    written = [trade_schema(), newer, reordered, trade_schema()]
    ids = [SCHEMA_ID, 20, 21, 99]
    lake.registry.schemas |= {20: json.dumps(newer), 21: json.dumps(reordered)}
    sent = [trade(number, vendor_data={"n": str(number)}) for number in range(40)]

    rows = lake.land(
        confluent(ids[n % 4], record(written[n % 4], {**values, "liquidation": n}))
        for n, values in enumerate(sent)
    )
    lake.refinery().refine(lake.batch(rows))

    assert lake.quarantined() == dict.fromkeys(range(3, 40, 4), "unknown_schema")
    found = {int(row.trade_id): row for row in lake.rows("silver.trades")}
    assert sorted(found) == [n for n in range(40) if n % 4 != 3]
    for number, row in found.items():
        assert (row.price, row.side) == (Decimal(sent[number]["price"]), sent[number]["side"])
        assert row.vendor_data == {"n": str(number)}


def test_limits_themselves_are_valid(lake: Lake) -> None:
    lake.take(
        [
            trade(0, trade_id="0"),
            trade(1, trade_id=str(2**63 - 1)),
            trade(2, timestamp=1_230_768_000_000_000),
            trade(3, ingestion_timestamp=NOON_US + 3_000_000 - 300_000_000),
        ]
    )

    assert lake.quarantined() == {}
    assert len(lake.rows("gold.trades")) == 4


def test_a_batch_without_any_trade_moves_every_position(lake: Lake) -> None:
    refinery = lake.refinery()
    lake.take([trade(1)], refinery)
    refinery.refine(lake.batch(lake.land([b"", b"x"])))

    for table in ("silver.trades", "gold.trades", "gold.ohlcv"):
        assert lake.snapshots(table) == [{"trades": {"0": 1}}, {"trades": {"0": 3}}]
    assert lake.snapshots("silver.quarantine") == [{"trades": {"0": 3}}]


def test_the_same_trade_twice_is_one_row_of_gold_and_the_first_one_stays(lake: Lake) -> None:
    refinery = lake.refinery()
    lake.take([trade(1, source="STREAM"), trade(1, source="SNAPSHOT"), trade(2)], refinery)
    lake.take([trade(1, source="BACKFILL")], refinery)

    assert len(lake.rows("silver.trades")) == 4
    assert [row.source for row in lake.rows("gold.trades", "message_id")] == ["STREAM", "STREAM"]
    assert lake.bars() == expected_bars([trade(1), trade(2)])


def test_the_same_trade_a_microsecond_apart_across_an_hour_is_one_row(lake: Lake) -> None:
    refinery = lake.refinery()
    hour_us = NOON_US + 60 * MINUTE_US
    lake.take([trade(1, timestamp=hour_us - 1)], refinery)
    lake.take([trade(1, timestamp=hour_us)], refinery)

    assert len(lake.rows("silver.trades")) == 2
    assert len(lake.rows("gold.trades")) == 1


def test_a_batch_that_fails_leaves_nothing_behind_that_the_next_would_count(lake: Lake) -> None:
    failing: set[str] = set()

    def reach(boundary: str) -> None:
        if boundary in failing:
            failing.clear()
            raise CutOffError(boundary)

    refinery = lake.refinery(reach)
    lake.take([trade(1)], refinery)
    failing.add("gold.ohlcv")
    with pytest.raises(CutOffError):
        lake.take([trade(2)], refinery)
    lake.take([trade(1), trade(3)], refinery)
    lake.take([trade(3), trade(4)], refinery)

    assert lake.bars() == expected_bars([trade(n) for n in range(1, 5)])


def test_late_trades_change_the_bars_they_belong_to(lake: Lake) -> None:
    day_us = 24 * 60 * MINUTE_US
    refinery = lake.refinery()
    now = [trade(number, timestamp=NOON_US + number * MINUTE_US) for number in range(10, 40)]
    late = [
        trade(1, timestamp=NOON_US + 10 * MINUTE_US - 1, price="99999"),
        trade(9, timestamp=NOON_US + 10 * MINUTE_US, price="1"),
        trade(2, timestamp=NOON_US - day_us, price="5.5"),
        trade(3, timestamp=NOON_US - day_us + 7 * MINUTE_US, price="6.5"),
    ]
    lake.take(now, refinery)
    lake.take(late, refinery)
    lake.take([trade(50, timestamp=NOON_US + 50 * MINUTE_US)], refinery)

    trades = [*now, *late, trade(50, timestamp=NOON_US + 50 * MINUTE_US)]
    assert lake.bars() == expected_bars(trades)


def test_a_sum_that_38_digits_cannot_hold_is_null_and_stops_nothing(lake: Lake) -> None:
    huge = "99999999999999999999"
    refinery = lake.refinery()
    lake.take([trade(1, quantity=huge, price="1"), trade(2, quantity=huge, price="1")], refinery)
    lake.take([trade(3, timestamp=NOON_US + 2 * MINUTE_US)], refinery)

    bars = {row.interval: row for row in lake.rows("gold.ohlcv", "window_start DESC")}
    assert bars["1d"].trade_count == 3
    assert (bars["1d"].volume, bars["1d"].quote_volume, bars["1d"].vwap) == (None, None, None)


def test_a_repeated_batch_changes_nothing(lake: Lake) -> None:
    refinery = lake.refinery()
    rows = lake.land([*(encode(trade(n)) for n in range(5)), b"", encode(trade(3))])
    refinery.refine(lake.batch(rows))
    before = (lake.rows("silver.trades"), lake.gold_trades(), lake.bars(), lake.quarantined())

    again = refinery.refine(lake.batch(rows))
    after_restart = lake.refinery().refine(lake.batch(rows[:3]))

    assert (again.rows, after_restart.rows) == (0, 0)
    now = (lake.rows("silver.trades"), lake.gold_trades(), lake.bars(), lake.quarantined())
    assert now == before


@pytest.mark.parametrize(
    # A batch without events comes to no other.
    "boundary",
    ["silver.quarantine", "silver.trades", "gold.trades", "gold.ohlcv"],
)
def test_a_process_that_dies_between_two_commits_loses_and_doubles_nothing(
    lake: Lake, boundary: str
) -> None:
    first = [trade(n) for n in range(10)]
    second = [trade(n) for n in range(5, 20)]
    lake.take(first)
    rows = lake.land([b"bad", *(encode(values) for values in second), b"worse"])
    with pytest.raises(CutOffError):
        lake.refinery(dying_at(boundary)).refine(lake.batch(rows))

    restarted = lake.refinery()
    # What the registry says may have changed meanwhile; an outcome does not.
    restarted.refine(lake.batch(rows))

    assert lake.quarantined() == {10: "bad_header", 26: "bad_header"}
    assert [row.offset for row in lake.rows("silver.trades", "offset")] == [
        *range(10),
        *range(11, 26),
    ]
    assert len(lake.gold_trades()) == 20
    assert lake.bars() == expected_bars([*first, *second])
    for table in ("silver.trades", "gold.trades", "gold.ohlcv"):
        assert lake.snapshots(table)[-1] == {"trades": {"0": 27}}


def test_an_outcome_stays_when_the_registry_learns_a_schema_too_late(lake: Lake) -> None:
    rows = lake.land([encode(trade(1)), encode(trade(2), schema_id=8)])
    with pytest.raises(CutOffError):
        lake.refinery(dying_at("silver.trades")).refine(lake.batch(rows))
    lake.registry.schemas[8] = json.dumps(trade_schema())

    lake.refinery().refine(lake.batch(rows))

    assert lake.quarantined() == {1: "unknown_schema"}
    assert len(lake.rows("silver.trades")) == 1


def test_files_handed_over_in_the_wrong_order_lose_nothing(lake: Lake) -> None:
    refinery = lake.refinery()
    rows = lake.land([encode(trade(number)) for number in range(30)])
    # The first batch ends with the later half of a commit whose earlier half comes after it.
    refinery.refine(lake.batch([*rows[:10], *rows[20:]]))
    between = len(lake.rows("silver.trades"))
    refinery.refine(lake.batch(rows[10:20]))

    assert between == 30
    assert len(lake.rows("silver.trades")) == len(lake.rows("gold.trades")) == 30


def test_a_hole_larger_than_a_batch_is_taken_in_portions(lake: Lake) -> None:
    trades = [trade(number) for number in range(5)]
    rows = lake.land([encode(values) for values in trades[:3]] + [b""])
    lake.skip(1_000_000)
    rows += lake.land([b"bad"] + [encode(values) for values in trades[3:]])
    with pytest.raises(CutOffError):
        lake.refinery(dying_at("gold.trades"), 2).refine(lake.batch(rows[6:]))

    lake.refinery(offsets_max=2).refine(lake.batch(rows[6:]))

    assert lake.quarantined() == {3: "bad_header", 1_000_004: "bad_header"}
    assert [row.trade_id for row in lake.rows("silver.trades", "trade_id")] == list("01234")
    assert lake.bars() == expected_bars(trades)
    ends = [taken["trades"]["0"] for taken in lake.snapshots("silver.trades")]
    assert ends == [2, 4, 1_000_006, 1_000_007]


def test_a_batch_waits_for_a_registry_that_does_not_answer(lake: Lake) -> None:
    rows = lake.land([encode(trade(1))])
    refinery = lake.refinery()

    def away(schema_id: int) -> str:
        raise RegistryUnavailableError(str(schema_id))

    answering, lake.registry.schema = lake.registry.schema, away  # type: ignore[method-assign]
    with pytest.raises(RegistryUnavailableError):
        refinery.refine(lake.batch(rows))
    assert lake.rows("silver.quarantine") == []
    lake.registry.schema = answering  # type: ignore[method-assign]
    refinery.refine(lake.batch(rows))

    assert len(lake.rows("gold.trades")) == 1


def test_a_schema_is_asked_for_once_and_an_unknown_id_in_each_batch(lake: Lake) -> None:
    refinery = lake.refinery()
    for number in range(2):
        rows = lake.land([encode(trade(number)), confluent(99, b"")])
        refinery.refine(lake.batch(rows))

    assert sorted(lake.registry.asked) == [SCHEMA_ID, 99, 99]


def test_any_order_and_duplication_in_any_batches_give_the_same_gold(lake: Lake) -> None:
    chance = random.Random(3)
    trades = [
        trade(
            number,
            native_symbol=chance.choice(["BTC/USD", "ETH/USD"]),
            timestamp=NOON_US + chance.randrange(90 * 60) * 1_000_000,
            price=str(Decimal(chance.randrange(1, 10**12)).scaleb(-6)),
            quantity=str(Decimal(chance.randrange(1, 10**12)).scaleb(-10)),
        )
        for number in range(300)
    ]
    sent = [*trades, *chance.choices(trades, k=100)]
    chance.shuffle(sent)
    refinery = lake.refinery()
    while sent:
        count = chance.randrange(80, 160)
        batch, sent = sent[:count], sent[count:]
        rows = lake.land([encode(values) for values in batch], partition=chance.randrange(3))
        refinery.refine(lake.batch(rows))
        if chance.random() < 0.3:
            refinery = lake.refinery()

    assert [row[0] for row in lake.gold_trades()] == sorted(t["message_id"] for t in trades)
    assert lake.bars() == expected_bars(trades)


def test_what_is_carried_on_does_not_drag_along_where_it_came_from(lake: Lake) -> None:
    refinery = lake.refinery()
    lineages = []
    for number in range(3):
        lake.take([trade(number)], refinery)
        plan = lake.spark.table(MINUTES)._jdf.queryExecution()
        lineages.append(plan.toRdd().toDebugString().splitlines())

    assert len(lineages[2]) == len(lineages[1]) < 10
