"""How far each query is, told to the parent after every batch.

Bronze's queries run inside Spark, which remembers the progress of each one's latest batch; it is
looked at twice a second, as one text of JSON. (A listener of PySpark's would be told at once, and
would take half a core for it: it asks the JVM for every single field.) The refining queries are
ours and tell it themselves. A query without new data repeats its figures with zero rows every few
seconds, so that a parent that has just begun to listen learns that nothing is behind.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyspark.sql.streaming import StreamingQuery

from bronze import LANDED, BronzeQuery
from channel import Channel, now_text
from freshness import Freshness, ages
from generations import kafka_name
from positions import Positions, count_offsets, read_positions, spans_between
from refine import Refined

REFINE = "refine"
LOOK_S = 0.5
#: After this time without a batch a query repeats its figures.
IDLE_S = 5


@dataclass(frozen=True)
class Follower:
    """A query of ours that takes what a Bronze query has landed."""

    #: Name of the Bronze query.
    source: str
    #: Asks how far it is.
    positions: Callable[[], Positions]


class Progress:
    """Looks at the queries and reports them.

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
        #: When each query was last reported, on the monotonic clock.
        self._told: dict[str, float] = {}
        #: Further figures of a query, repeated in each of its reports.
        self._figures: dict[str, dict[str, object]] = {}

    def batch_refined(
        self, batch_id: int, refined: Refined, seconds: float, undecodable_events: int
    ) -> None:
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
            undecodable_events_total=undecodable_events,
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

    def watch(self, queries: Sequence[StreamingQuery]) -> None:
        """Look at the queries from now on."""
        threading.Thread(target=self._look_regularly, args=[queries], daemon=True).start()

    def _look_regularly(self, queries: Sequence[StreamingQuery]) -> None:
        while True:
            time.sleep(LOOK_S)
            for query in queries:
                reason = self._look(query)
                if reason is not None:
                    self._failed(query.name, reason)
                    return

    def _look(self, query: StreamingQuery) -> str | None:
        """Report what is new of a query; return why it cannot go on, None where it does."""
        try:
            if not query._jsq.isActive():
                return str(query.exception() or "the query has ended")
            if query.name in self._bronze:
                self._look_at_bronze(query)
            is_quiet = time.monotonic() - self._told.get(query.name, 0) > IDLE_S
            # A batch that takes long is no quiet query.
            if is_quiet and not query._jsq.status().isTriggerActive():
                self._report(query.name, 0, 0, self._lag_of(query.name))
        except Exception as error:  # noqa: BLE001 - nobody else would notice that nobody looks
            return f"{type(error).__name__}: {error}"
        return None

    def _look_at_bronze(self, query: StreamingQuery) -> None:
        """Report the batches of a Bronze query that are not told yet."""
        newest = query._jsq.lastProgress()
        told = self._last_batch.get(query.name, -1)
        if newest is None or newest.batchId() <= told:
            return
        # Short batches may follow one another between two looks.
        for progress in [newest] if newest.batchId() == told + 1 else query._jsq.recentProgress():
            if progress.batchId() > self._last_batch.get(query.name, -1):
                self._report_batch(query.name, json.loads(progress.json()))

    def _report_batch(self, name: str, batch: Mapping[str, Any]) -> None:
        source = batch["sources"][0]
        if not source["endOffset"] or not source["latestOffset"]:
            return
        if source["startOffset"] == source["endOffset"]:
            # Spark's word on an idle query has the number of the batch that is still to come.
            return
        end = read_positions(source["endOffset"])
        with self._lock:
            self._last_batch[name] = batch["batchId"]
            self._landed[name] = {**self._landed[name], **self._bronze[name].in_bronze(end)}
            newest_us = batch.get("observedMetrics", {}).get(LANDED, {}).get("newest_us")
            if newest_us is not None:
                self._newest_kafka_us[name] = newest_us
        lag = count_offsets(spans_between(end, read_positions(source["latestOffset"])))
        self._report(name, batch["numInputRows"], batch["batchDuration"] / 1000, lag)

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
            self._told[query] = time.monotonic()
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
