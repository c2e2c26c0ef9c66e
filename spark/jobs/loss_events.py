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


class Concern(NamedTuple):
    """What an event about a loss speaks of."""

    #: Empty where it is no single one, or no trade can be missing.
    exchange: str
    #: None for all markets of the exchange.
    native_symbol: str | None
    #: Ends with the topic, the partition and the first offset that is lost.
    gap_id: str
    #: From when on they may be, microseconds since 1970; None where it is not known.
    from_us: int | None


def exchange_of(topic: str) -> str:
    """Return whose trades or frames a topic holds; empty where it holds those of all."""
    parts = topic.split(".")
    return parts[-1] if len(parts) > 2 and parts[-2] in ("trades", "frames") else ""


def loss_event(event: str, reason: str, concern: Concern, now_us: int) -> dict[str, object]:
    """Return what an event says, for `loss_event.sql`, as SQL literals.

    Args:
        event: one of `EVENTS`.
        reason: what was lost, in words.
        concern: what it speaks of.
        now_us: this instant, microseconds since 1970.

    """
    return {
        "event": literal(event),
        "exchange": literal(concern.exchange),
        "native_symbol": _text(concern.native_symbol),
        "reason": literal(reason),
        "gap_id": literal(concern.gap_id),
        "from_us": "NULL" if concern.from_us is None else concern.from_us,
        "now_us": now_us,
    }


def _text(value: str | None) -> str:
    return "NULL" if value is None else literal(value)


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
        concerns = _concerns(session, config, lost, bronze_name(lost.topic, generations))
        for event, concern in product(EVENTS, concerns):
            said = loss_event(event, lost.reason, concern, now_us)
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


def _concerns(session: SparkSession, config: Config, lost: Lost, topic: str) -> list[Concern]:
    """Return what is to be told of a loss, by its topic's name in Bronze."""
    exchange = exchange_of(lost.topic)
    where = f"{topic}/{lost.partition}:{lost.first}"
    if lost.topic == config.event_topic:
        # A gap is told before a confirmation passes it, so each market is known up to there.
        markets = session.sql(statement("markets", coverage=SILVER_COVERAGE.path)).collect()
        return [
            Concern(
                row.exchange,
                row.native_symbol,
                f"{row.exchange}:{row.native_symbol}:{where}",
                row.confirmed_us or row.from_us,
            )
            for row in markets
        ] or [Concern(exchange, None, f"{exchange}:{where}", None)]
    if ".trades." in lost.topic:
        newest = statement("newest_trade", topic=literal(topic), partition=lost.partition)
        (row,) = session.sql(newest).collect()
        return [Concern(exchange, None, f"{exchange}:{where}", row.newest_us)]
    # No trade is missing for it, so that it concerns no exchange's bars.
    return [Concern("", None, f":{where}", None)]
