"""How far each query is, told to the parent after every batch.

Bronze's queries run inside Spark, which tells a listener of each of their batches. The refining
query is ours and tells it itself. A query without new data repeats its figures with zero rows every
few seconds, so that a parent that has just begun to listen learns that nothing is behind.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from pyspark.sql.streaming import StreamingQueryListener
from pyspark.sql.streaming.listener import (
    QueryIdleEvent,
    QueryProgressEvent,
    QueryStartedEvent,
    QueryTerminatedEvent,
)

from channel import Channel, now_text
from positions import Positions, count_offsets, parse_positions, spans_between
from refine import Refined

REFINE = "refine"


class Progress(StreamingQueryListener):
    """Listens to the queries and reports them.

    Args:
        channel: where reports go.
        landed: next offsets that Bronze had when the driver started.
        refined: asks for the positions of Silver.
        failed: called with a query's name and reason when it ends by an error.

    """

    def __init__(
        self,
        channel: Channel,
        landed: Positions,
        refined: Callable[[], Positions],
        failed: Callable[[str, str], None],
    ) -> None:
        self._channel = channel
        self._landed = landed
        self._refined = refined
        self._failed = failed
        self._lock = threading.Lock()
        self._newest_kafka_us: int | None = None
        self._gold_topics: frozenset[str] = frozenset()
        self._last_batch: dict[str, int] = {}
        self._names: dict[str, str] = {}

    def batch_refined(self, batch_id: int, refined: Refined, seconds: float) -> None:
        """Report a batch of the refining query."""
        with self._lock:
            self._newest_kafka_us = refined.newest_kafka_us or self._newest_kafka_us
            self._gold_topics |= refined.topics
            self._last_batch[REFINE] = batch_id
        self._report(REFINE, refined.rows, seconds, self._refine_lag())

    def onQueryStarted(self, event: QueryStartedEvent) -> None:  # noqa: N802
        """Remember the name that belongs to the query's id."""
        with self._lock:
            self._names[str(event.runId)] = event.name or ""

    def onQueryProgress(self, event: QueryProgressEvent) -> None:  # noqa: N802
        """Report a batch of a Bronze query."""
        batch = event.progress
        source = batch.sources[0]
        if batch.name == REFINE or not source.endOffset or not source.latestOffset:
            return
        end = parse_positions(source.endOffset)
        with self._lock:
            self._last_batch[batch.name] = batch.batchId
            self._landed = {**self._landed, **end}
        lag = count_offsets(spans_between(end, parse_positions(source.latestOffset)))
        self._report(batch.name, batch.numInputRows, batch.batchDuration / 1000, lag)

    def onQueryIdle(self, event: QueryIdleEvent) -> None:  # noqa: N802
        """Repeat the figures of a query that has nothing to do."""
        with self._lock:
            name = self._names.get(str(event.runId), "")
        self._report(name, 0, 0, self._refine_lag() if name == REFINE else 0)

    def onQueryTerminated(self, event: QueryTerminatedEvent) -> None:  # noqa: N802
        """Tell the driver of a query that has ended."""
        with self._lock:
            name = self._names.get(str(event.runId), "")
        self._failed(name, event.exception or "the query has ended")

    def _refine_lag(self) -> int:
        with self._lock:
            landed = self._landed
        return count_offsets(spans_between(self._refined(), landed))

    def _report(self, query: str, rows: int, seconds: float, lag_offsets: int) -> None:
        with self._lock:
            batch_id = self._last_batch.get(query)
            newest_us = self._newest_kafka_us if query == REFINE else None
        gold = {"gold_topics": ",".join(sorted(self._gold_topics))} if query == REFINE else {}
        self._channel.send(
            "progress",
            **gold,
            query=query,
            batch_id=batch_id,
            rows=rows,
            rows_per_s=round(rows / seconds, 1) if seconds > 0 else 0,
            batch_ms=round(seconds * 1000),
            lag_offsets=lag_offsets,
            lag_s=None if newest_us is None else round(time.time() - newest_us / 1e6, 3),
            timestamp=now_text(),
        )
