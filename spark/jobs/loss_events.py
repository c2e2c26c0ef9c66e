"""Tells the topic of events that offsets were lost, and that a person has accepted it.

The driver writes these itself, because a lake may run where no feed does. What may be missing are
trades from the newest one that came through the partition until now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Protocol

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.avro.functions import to_avro

from bronze import spark_options
from config import Config
from generations import Generations, bronze_name
from lost_offsets import Lost
from statements import statement

#: Both are told of each loss: what happened, and what was decided.
EVENTS = ("offsets_lost", "offsets_accepted")


class Subjects(Protocol):
    """Where the schema comes from that a topic's records are written with."""

    def latest(self, subject: str) -> tuple[int, str]:
        """Return id and text of a subject's newest schema."""


def exchange_of(topic: str) -> str:
    """Return whose trades or frames a topic holds; empty where it holds those of all."""
    parts = topic.split(".")
    return parts[-1] if len(parts) > 2 and parts[-2] in ("trades", "frames") else ""


def loss_event(
    event: str,
    lost: Lost,
    *,
    generations: Generations,
    newest_us: int | None,
    now_us: int,
) -> Mapping[str, object]:
    """Return what an event says, for `loss_event.sql`.

    Args:
        event: one of `EVENTS`.
        lost: what it is about.
        generations: how often its topic was made, before it was made anew.
        newest_us: the newest trade that came through the partition; None where none did.
        now_us: this instant, microseconds since 1970.

    """
    exchange = exchange_of(lost.topic)
    topic = bronze_name(lost.topic, generations)
    is_frames = ".frames." in lost.topic
    return {
        "event": event,
        "exchange": exchange,
        "reason": lost.reason,
        # No trade is missing where frames are.
        "gap_id": "NULL" if is_frames else f"'{exchange}:{topic}/{lost.partition}:{lost.first}'",
        "from_us": "NULL" if newest_us is None else newest_us,
        "now_us": now_us,
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
        newest = statement(
            "newest_trade",
            topic=bronze_name(lost.topic, generations),
            partition=lost.partition,
        )
        (row,) = session.sql(newest).collect()
        for event in EVENTS:
            said = loss_event(
                event, lost, generations=generations, newest_us=row.newest_us, now_us=now_us
            )
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
