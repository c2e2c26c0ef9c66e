"""How far each query is, told to the parent after every batch.

Bronze's queries run inside Spark, which tells a listener of each of their batches. The refining
queries are ours and tell it themselves. A query without new data repeats its figures with zero rows
every few seconds, so that a parent that has just begun to listen learns that nothing is behind.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyspark.sql.streaming import StreamingQueryListener
from pyspark.sql.streaming.listener import (
    QueryIdleEvent,
    QueryProgressEvent,
    QueryStartedEvent,
    QueryTerminatedEvent,
)

from bronze import LANDED, BronzeQuery
from channel import Channel, now_text
from freshness import Freshness, ages
from generations import kafka_name
from positions import Positions, count_offsets, parse_positions, spans_between
from refine import Refined

REFINE = "refine"


@dataclass(frozen=True)
class Follower:
    """A query of ours that takes what a Bronze query has landed."""

    #: Name of the Bronze query.
    source: str
    #: Asks how far it is.
    positions: Callable[[], Positions]


class Progress(StreamingQueryListener):
    """Listens to the queries and reports them.

    Args:
        channel: where reports go.
        bronze: the queries of Bronze by name, those that stay stopped too.
        followers: our own queries by name.
        failed: called with a query's name and reason when it ends by an error.

    """

    def __init__(
        self,
        channel: Channel,
        bronze: Mapping[str, BronzeQuery],
        followers: Mapping[str, Follower],
        failed: Callable[[str, str], None],
    ) -> None:
        self._channel = channel
        self._bronze = bronze
        self._landed = {name: query.positions for name, query in bronze.items()}
        self._followers = followers
        self._failed = failed
        self._lock = threading.Lock()
        self._newest_kafka_us: dict[str, int] = {}
        self._gold_topics: frozenset[str] = frozenset()
        self._freshness = Freshness()
        self._last_batch: dict[str, int] = {}
        self._names: dict[str, str] = {}
        #: Further figures of a query, repeated in each of its reports.
        self._figures: dict[str, dict[str, object]] = {}

    def batch_refined(self, batch_id: int, refined: Refined, seconds: float) -> None:
        """Report a batch of the refining query, which has just come through."""
        committed_us = round(time.time() * 1e6)
        with self._lock:
            self._freshness.add(committed_us, ages(refined.live, committed_us))
            self._gold_topics |= {kafka_name(topic) for topic in refined.topics}
            gold_topics = ",".join(sorted(self._gold_topics))
        self.batch_taken(
            REFINE,
            batch_id,
            rows=refined.rows,
            seconds=seconds,
            newest_kafka_us=refined.newest_kafka_us,
            gold_topics=gold_topics,
            fresh_p50_s=self._freshness.percentile_s(50),
            fresh_p99_s=self._freshness.percentile_s(99),
        )

    def batch_taken(
        self,
        query: str,
        batch_id: int,
        *,
        rows: int,
        seconds: float,
        newest_kafka_us: int | None,
        **figures: object,
    ) -> None:
        """Report a batch of a query of ours.

        Args:
            query: its name.
            batch_id: number of the batch.
            rows: Kafka records that it took.
            seconds: how long it took.
            newest_kafka_us: kafka_timestamp of the newest of them, None without any.
            figures: further ones, repeated until the next batch.

        """
        with self._lock:
            self._last_batch[query] = batch_id
            self._figures[query] = figures
            if newest_kafka_us is not None:
                self._newest_kafka_us[query] = newest_kafka_us
        self._report(query, rows, seconds, self._lag_of(query))

    def onQueryStarted(self, event: QueryStartedEvent) -> None:  # noqa: N802
        """Remember the name that belongs to the query's id."""
        with self._lock:
            self._names[str(event.runId)] = event.name or ""

    def onQueryProgress(self, event: QueryProgressEvent) -> None:  # noqa: N802
        """Report a batch of a Bronze query."""
        batch = event.progress
        source = batch.sources[0]
        query = self._bronze.get(batch.name)
        if query is None or not source.endOffset or not source.latestOffset:
            return
        end = parse_positions(source.endOffset)
        with self._lock:
            self._last_batch[batch.name] = batch.batchId
            self._landed[batch.name] = {**self._landed[batch.name], **query.in_bronze(end)}
            landed = batch.observedMetrics.get(LANDED)
            if landed is not None and landed.newest_us is not None:
                self._newest_kafka_us[batch.name] = landed.newest_us
        lag = count_offsets(spans_between(end, parse_positions(source.latestOffset)))
        self._report(batch.name, batch.numInputRows, batch.batchDuration / 1000, lag)

    def onQueryIdle(self, event: QueryIdleEvent) -> None:  # noqa: N802
        """Repeat the figures of a query that has nothing to do."""
        with self._lock:
            name = self._names.get(str(event.runId), "")
        self._report(name, 0, 0, self._lag_of(name))

    def onQueryTerminated(self, event: QueryTerminatedEvent) -> None:  # noqa: N802
        """Tell the driver of a query that has ended."""
        with self._lock:
            name = self._names.get(str(event.runId), "")
        self._failed(name, event.exception or "the query has ended")

    def _lag_of(self, query: str) -> int:
        follower = self._followers.get(query)
        if follower is None:
            return 0
        with self._lock:
            landed = self._landed.get(follower.source, {})
        return count_offsets(spans_between(follower.positions(), landed))

    def _report(self, query: str, rows: int, seconds: float, lag_offsets: int) -> None:
        with self._lock:
            batch_id = self._last_batch.get(query)
            newest_us = self._newest_kafka_us.get(query)
            figures = self._figures.get(query, {})
        lag_s = None if newest_us is None else round(time.time() - newest_us / 1e6, 3)
        if query not in self._followers and lag_offsets == 0:
            # Nothing waits in Kafka, however long ago the newest record came.
            lag_s = 0
        self._channel.send(
            "progress",
            **figures,
            query=query,
            batch_id=batch_id,
            rows=rows,
            rows_per_s=round(rows / seconds, 1) if seconds > 0 else 0,
            batch_ms=round(seconds * 1000),
            lag_offsets=lag_offsets,
            lag_s=lag_s,
            timestamp=now_text(),
        )
