"""Tells the topic of events that offsets were lost, and that a person has accepted it.

The driver writes these itself, because a lake may run where no feed does. What may be missing are
trades until now: from the newest one that came through a partition of trades, and where events are
lost, which may have told of gaps, from where each market is confirmed.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from itertools import product
from typing import NamedTuple, Protocol

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.avro.functions import to_avro

from bronze import spark_options
from config import Config
from generations import Generations, bronze_name
from lost_offsets import Lost
from statements import literal, statement
from tables import SILVER_COVERAGE

#: Both are told of each loss: what happened, and what was decided.
EVENTS = ("offsets_lost", "offsets_accepted")


class Subjects(Protocol):
    """Where the schema comes from that a topic's records are written with."""

    def latest(self, subject: str) -> tuple[int, str]:
        """Return id and text of a subject's newest schema."""


class Missing(NamedTuple):
    """Where trades may be missing, from a time on until now."""

    #: Empty where it is about no exchange's trades.
    exchange: str
    #: None for all markets of the exchange.
    native_symbol: str | None
    #: Microseconds since 1970, None where it is not known.
    from_us: int | None


def exchange_of(topic: str) -> str:
    """Return whose trades or frames a topic holds; empty where it holds those of all."""
    parts = topic.split(".")
    return parts[-1] if len(parts) > 2 and parts[-2] in ("trades", "frames") else ""


def loss_event(event: str, lost: Lost, topic: str, missing: Missing, now_us: int) -> dict[str, str]:
    """Return what an event says, for `loss_event.sql`, as SQL literals.

    Args:
        event: one of `EVENTS`.
        lost: what it is about.
        topic: its topic's name in Bronze, empty where no trade can be missing by the loss.
        missing: where they may be.
        now_us: this instant, microseconds since 1970.

    """
    exchange, native_symbol, from_us = missing
    market = [exchange] if native_symbol is None else [exchange, native_symbol]
    gap_id = ":".join([*market, f"{topic}/{lost.partition}", str(lost.first)])
    return {
        "event": literal(event),
        "exchange": literal(exchange),
        "native_symbol": "NULL" if native_symbol is None else literal(native_symbol),
        "reason": literal(lost.reason),
        "gap_id": literal(gap_id) if topic else "NULL",
        "from_us": "NULL" if from_us is None else str(from_us),
        "now_us": str(now_us),
    }


def write_loss_events(
    session: SparkSession,
    config: Config,
    registry: Subjects,
    losses: Iterable[tuple[Lost, Generations]],
    now_us: int,
) -> None:
    """Write the events of some losses to Kafka and wait until it has them.

    Args:
        session: the driver's session.
        config: where Kafka is.
        registry: where the schema of events comes from.
        losses: what was lost, with the generations of its table's topics before the loss.
        now_us: this instant, microseconds since 1970.

    Raises:
        RegistryUnavailableError: the schema could not be asked for; nothing was written.

    """
    schema_id, schema = registry.latest(f"{config.event_topic}-value")
    rows: list[DataFrame] = []
    for lost, generations in losses:
        topic = bronze_name(lost.topic, generations)
        if lost.topic == config.event_topic:
            missing = _missing_by_events(session)
        elif ".trades." in lost.topic:
            missing = [_missing_by_trades(session, lost, topic)]
        else:
            missing, topic = [Missing(exchange_of(lost.topic), None, None)], ""
        for event, each in product(EVENTS, missing):
            said = loss_event(event, lost, topic, each, now_us)
            record = session.sql(statement("loss_event", **said))
            body = to_avro(F.struct(*record.columns), schema)
            header = F.expr(f"X'00{schema_id:08X}'")
            key = F.lit(lost.topic).cast("binary")
            rows.append(record.select(key.alias("key"), F.concat(header, body).alias("value")))
    if not rows:
        return
    (
        reduce(DataFrame.unionByName, rows)
        # One task: both events of a loss stand in their order.
        .coalesce(1)
        .write.format("kafka")
        .options(**spark_options(config), topic=config.event_topic)
        .save()
    )


def _missing_by_trades(session: SparkSession, lost: Lost, topic: str) -> Missing:
    """Return where trades may be missing: from the newest that came through the partition."""
    newest = statement("newest_trade", topic=literal(topic), partition=lost.partition)
    (row,) = session.sql(newest).collect()
    return Missing(exchange_of(lost.topic), None, row.newest_us)


def _missing_by_events(session: SparkSession) -> list[Missing]:
    """Return where trades may be missing of which nobody was told: from what is confirmed.

    A gap is told before a confirmation passes it, so each market is known up to there.
    """
    markets = session.sql(statement("markets", coverage=SILVER_COVERAGE.path)).collect()
    return [
        Missing(row.exchange, row.native_symbol, row.confirmed_us or row.from_us) for row in markets
    ] or [Missing("", None, None)]
