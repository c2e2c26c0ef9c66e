"""Goal: Silver's tables of state and the bars' completeness follow the feed's events exactly.

Method: real Iceberg tables; trades and events are appended to Bronze, Kafka's ends are set by the
test, and `settle` is called where the driver would call it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import pytest

from avro_encoding import confluent
from lake import MINUTE_US, NOON_US, TOPIC, BarKey, Lake, encode, event, expected_bars, trade
from refine import Refinery

SECOND_US = 1_000_000
#: When everything in these tests is noticed.
NOTICED_US = NOON_US + 3600 * SECOND_US


def at(minutes: float) -> int:
    return NOON_US + round(minutes * MINUTE_US)


def coverage(minutes: float) -> bytes:
    return event("coverage", NOTICED_US, from_id=1, from_timestamp=at(minutes))


def confirmed(minutes: float) -> bytes:
    return event("confirmed", NOTICED_US, through_id=1, through_timestamp=at(minutes))


def gap(kind: str, first: float, last: float, seconds: int = 0, **values: Any) -> bytes:
    """Return an event of the gap between two times, noticed so many seconds later."""
    about = {
        "gap_id": f"kraken:BTC/USD:{round(first * 60)}",
        "from_id": round(first * 60),
        "to_id": round(last * 60),
        "from_timestamp": at(first),
        "to_timestamp": at(last),
        "remaining": [{"from_id": 5, "to_id": 6}] if kind == "gap_opened" else [],
        "absent": [],
        "unfillable": [],
        "found_by": "jump",
    }
    return event(kind, NOTICED_US + seconds * SECOND_US, **about, **values)


def every_second(minutes: int, **values: Any) -> list[dict[str, Any]]:
    return [trade(number, **values) for number in range(0, minutes * 60, 10)]


def settle(lake: Lake, refinery: Refinery, *events: bytes) -> None:
    """Land events, have them found and then taken."""
    lake.land_events(*events)
    refinery.settle(lake.spark)
    refinery.settle(lake.spark)


def test_a_bar_is_complete_once_silver_has_what_its_confirmation_speaks_of(lake: Lake) -> None:
    refinery = lake.refinery()
    trades = every_second(8)
    lake.take(trades[:30], refinery)
    lake.land_events(coverage(0.5), confirmed(7))
    lake.trade_ends = {TOPIC: {0: 48}, "of another exchange": {0: 0}}
    refinery.settle(lake.spark)
    refinery.settle(lake.spark)
    assert lake.complete() == []

    lake.take(trades[30:40], refinery)
    assert lake.complete() == []
    lake.take(trades[40:48], refinery)

    # Minute 0 begins before the coverage, minute 7 ends after what is confirmed.
    assert lake.complete() == [1, 2, 3, 4, 5, 6]
    assert lake.complete("5m") == []
    settle(lake, refinery, confirmed(10))
    assert lake.complete() == [1, 2, 3, 4, 5, 6, 7]
    assert lake.complete("5m") == [5]
    (row,) = lake.rows("silver.coverage")
    assert (row.from_id, row.confirmed_id) == (1, 1)
    assert lake.snapshots("gold.ohlcv")[-1] == {"trades": {"0": 48}, "events": {"0": 3}}
    assert lake.snapshots("silver.coverage")[-1] == {"events": {"0": 3}}
    # Bars of trades that come now know what is known of their market.
    lake.take([trade(61), trade(600)], refinery)
    assert lake.complete() == [1, 2, 3, 4, 5, 6, 7]


def test_bars_that_a_gap_touches_are_complete_only_when_it_is_filled_or_absent(lake: Lake) -> None:
    refinery = lake.refinery()
    lake.take(every_second(12), refinery)
    settle(lake, refinery, coverage(0), confirmed(12), gap("gap_opened", 2.5, 3))
    # A missing trade may have the very time of the trade after it.
    assert lake.complete() == [0, 1, 4, 5, 6, 7, 8, 9, 10, 11]
    assert lake.complete("5m") == [5]

    settle(lake, refinery, gap("gap_filled", 2.5, 3, 10), gap("gap_opened", 6.1, 6.2))
    assert lake.complete() == [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11]
    assert lake.complete("5m") == [0]

    refilled = gap("gap_opened", 2.5, 3)
    settle(lake, refinery, refilled, gap("gap_unfillable", 6.1, 6.2, 10), gap("gap_opened", 8, 9))
    assert lake.complete() == [0, 1, 2, 3, 4, 5, 7, 10, 11]
    settle(lake, refinery, gap("gap_absent", 8, 9, 10))
    assert lake.complete() == [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11]
    states = {row.from_id: (row.state, row.ended_timestamp) for row in lake.rows("silver.gaps")}
    assert [states[key][0] for key in sorted(states)] == ["filled", "unfillable", "absent"]
    assert all(ended is not None for _, ended in states.values())

    lost = {"gap_id": "kraken:trades/0:9", "native_symbol": None, "from_timestamp": at(10.5)}
    settle(lake, refinery, event("offsets_accepted", at(11.5), **lost))
    assert lake.complete() == [0, 1, 2, 3, 4, 5, 7, 8, 9]


def test_sessions_have_the_state_that_they_last_said_and_unreadable_events_stop_nothing(
    lake: Lake,
) -> None:
    def session(kind: str, name: str, seconds: int, **values: Any) -> bytes:
        about = {"native_symbol": None, "connection_id": name, **values}
        return event(kind, NOON_US + seconds * SECOND_US, **about)

    refinery = lake.refinery()
    settle(
        lake,
        refinery,
        session("session_opened", "one", 1, url="wss://a"),
        session("session_opened", "two", 2, url="wss://b"),
        b"no event",
        confluent(99, b"nor this"),
        session("session_closed", "one", 3, reason="going away"),
    )
    settle(lake, refinery, session("session_opened", "one", 1, url="wss://a"))

    one, two = lake.rows("silver.sessions", "connection_id")
    assert (one.state, one.url, one.reason) == ("closed", "wss://a", "going away")
    assert (one.closed_timestamp - one.opened_timestamp).seconds == 2
    assert (two.state, two.closed_timestamp, two.reason) == ("open", None, None)
    assert lake.snapshots("silver.coverage")[-1] == {"events": {"0": 6}}
    assert refinery.undecodable_events == 2


class CutOffError(Exception):
    """Stands for the death of the process."""


@pytest.mark.parametrize("boundary", ["silver.sessions", "silver.coverage", "gold.ohlcv"])
def test_a_process_that_dies_amid_events_leaves_nothing_undone(lake: Lake, boundary: str) -> None:
    def reach(reached: str) -> None:
        if reached == boundary and len(lake.rows("bronze.events")) > 0:
            raise CutOffError(boundary)

    trades = every_second(6)
    dying = lake.refinery(reach)
    lake.take(trades, dying)
    lake.land_events(coverage(0), confirmed(5), gap("gap_opened", 2.5, 2.6))
    dying.settle(lake.spark)
    with pytest.raises(CutOffError):
        dying.settle(lake.spark)

    restarted = lake.refinery()
    settle(lake, restarted)

    assert lake.complete() == [0, 1, 3, 4]
    assert len(lake.rows("silver.gaps")) == 1
    assert lake.snapshots("gold.ohlcv")[-1] == {"trades": {"0": 36}, "events": {"0": 3}}


def test_any_portions_of_events_and_trades_give_the_same_completeness(lake: Lake) -> None:
    chance = random.Random(5)
    symbols = ["BTC/USD", "ETH/USD"]
    trades = [
        trade(n, native_symbol=chance.choice(symbols), timestamp=at(chance.uniform(-20, 40)))
        for n in range(200)
    ]
    lake.trade_ends = {TOPIC: {0: 0}}
    begins = {"BTC/USD": [-5.0, -12.0], "ETH/USD": [-3.0]}
    events: list[bytes] = []
    known: dict[str, dict[str, Any]] = {}
    for symbol in symbols:
        state = known[symbol] = {"from": begins[symbol][-1], "to": 0.0, "gaps": []}
        of = {"native_symbol": symbol}
        told = [
            event("coverage", NOTICED_US + n, from_timestamp=at(minutes), **of)
            for n, minutes in enumerate(begins[symbol])
        ]
        for minutes in (3.0, 11.7, chance.uniform(20, 30)):
            state["to"] = minutes
            told.append(event("confirmed", NOTICED_US, through_timestamp=at(minutes), **of))
        for number in range(4):
            first = chance.uniform(-15, 25)
            about = {**of, "gap_id": f"{symbol}:{number}", "from_timestamp": at(first)}
            about["to_timestamp"] = at(first + chance.uniform(0, 3))
            told.insert(2, event("gap_opened", NOTICED_US, **about))
            if number % 2:
                told.append(event("gap_filled", NOTICED_US + 5, **about))
            else:
                state["gaps"].append((about["from_timestamp"], about["to_timestamp"]))
        events.extend(told)
    sent = list(trades)
    refinery = lake.refinery()
    while sent or events:
        count = chance.randrange(40, 90)
        batch, sent = sent[:count], sent[count:]
        if batch:
            lake.take(batch, refinery)
        told, events = events[:7], events[7:]
        if told:
            lake.land_events(*told)
        refinery.settle(lake.spark)
        if chance.random() < 0.3:
            refinery = lake.refinery()
    settle(lake, refinery)
    settle(lake, refinery)

    assert lake.bars() == expected_bars(trades, lambda key, end: is_complete(known, key, end))
    assert any(bar[-1] for bar in lake.bars().values())


def is_complete(known: Mapping[str, Mapping[str, Any]], key: BarKey, end_us: int) -> bool:
    _, native_symbol, _, start_us = key
    market = known[native_symbol]
    is_covered = at(market["from"]) <= start_us and end_us <= at(market["to"])
    return is_covered and not any(
        first < end_us and last >= start_us for first, last in market["gaps"]
    )


def test_more_events_than_are_taken_at_once_are_taken_one_portion_after_the_other(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("events.EVENTS_MAX", 2)
    refinery = lake.refinery()
    rows = lake.land([encode(values) for values in every_second(3)])
    refinery.refine(lake.batch(rows))
    lake.land_events(coverage(0), confirmed(1), confirmed(2))
    for _ in range(3):
        refinery.settle(lake.spark)

    assert lake.complete() == [0, 1]
