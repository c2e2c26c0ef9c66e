"""From Bronze to Silver and Gold: one chained batch, exact however often it is cut off or repeated.

A batch commits in this order, each commit carrying the positions at which the batch ends:

1. silver.quarantine, only if a record is invalid;
2. silver.trades, always, even without a row: from here on the batch's records count as consumed;
3. gold.trades, inserting what is not there;
4. silver.gaps, silver.sessions and silver.coverage, where events are due (see `events.py`);
5. gold.ohlcv, replacing the bars that trades or events touch.

The process can die between any two of them, so each start asks the tables. Records before
silver.trades' positions are left out, which makes a repeated batch empty. Records that the
quarantine already holds beyond them keep that outcome. What Gold lacks it takes from Silver. So a
table is as far as its newest snapshot with positions says, and the quarantine is complete up to
the positions of silver.trades.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

import gold
import positions as at
from decoding import Registry
from events import Events
from minutes import MINUTES, Minutes
from portions import is_next, portions, spans_of
from positions import Positions
from silver import outcomes
from snapshots import consumed, reached, recording, taken
from statements import statement
from tables import (
    BRONZE_TRADES,
    GOLD_OHLCV,
    GOLD_TRADES,
    SILVER_QUARANTINE,
    SILVER_TRADES,
    Table,
)
from time_ranges import MINUTE_US, TENTH_US, Range, count_days, days, touched_ranges
from views import keep_view

#: Temporary view of the records at hand with their outcome.
BATCH = "batch"
#: Temporary view of those of its trades that gold.trades did not hold.
INSERTED = "inserted"
#: Temporary view of the bars that are to replace the stored ones.
BARS = "bars"

#: What a hole is taken from Bronze by at a time, unless said otherwise.
OFFSETS_MAX = 100_000

#: What each step comes before, and the end: where a test may kill the process.
BOUNDARIES = (
    "silver.quarantine",
    "silver.trades",
    "gold.trades",
    "silver.gaps",
    "silver.sessions",
    "silver.coverage",
    "gold.ohlcv",
    "end",
)

#: So many days that a batch touches are written anew without a look at which of them it changes.
DAYS_MAX = 2

#: All of time that the lake knows, for when it is not known what has changed.
_ALL_TIME = (Range(0, 253_402_300_800_000_000),)

_KEY = ["topic", "partition", "offset"]


@dataclass(frozen=True)
class Refined:
    """What one batch came to."""

    #: Bronze records that had no outcome before.
    rows: int
    #: How many of them are trades.
    trades: int
    #: Topics of those trades.
    topics: frozenset[str]
    #: kafka_timestamp of the newest record, microseconds since 1970; None without rows.
    newest_kafka_us: int | None
    #: When they happened: number of the trades that came live by tenth of a second from 1970.
    live: tuple[Mapping[int, int], ...]

    def plus(self, other: Refined) -> Refined:
        """Return what this batch and a later one came to."""
        return Refined(
            rows=self.rows + other.rows,
            trades=self.trades + other.trades,
            topics=self.topics | other.topics,
            newest_kafka_us=other.newest_kafka_us or self.newest_kafka_us,
            live=self.live + other.live,
        )


NOTHING_REFINED = Refined(0, 0, frozenset(), None, ())


class Refinery:
    """Refines Bronze batches. Make one at each start of the query: it begins by asking the tables.

    Args:
        session: any session of the driver.
        registry: where writers' schemas come from.
        trade_ends: asks Kafka for the next offset of every partition of the topics of trades.
        boundary: called with each of `BOUNDARIES` as a batch comes to it.
        offsets_max: most records that are taken from Bronze at a time where a batch has a hole.

    """

    def __init__(
        self,
        session: SparkSession,
        registry: Registry,
        trade_ends: Callable[[], Positions],
        boundary: Callable[[str], None] = lambda _: None,
        offsets_max: int = OFFSETS_MAX,
    ) -> None:
        self._registry = registry
        self._boundary = boundary
        self._events = Events(session, registry, trade_ends, boundary)
        self._offsets_max = offsets_max
        self._writers: dict[int, str] = {}
        self._minutes = Minutes()
        self.positions = taken(session, SILVER_TRADES)
        self._quarantined = reached(session, SILVER_QUARANTINE, self.positions)
        bars = consumed(session, GOLD_OHLCV) or {}
        #: Whether events are taken that bars do not know of, because a process died in between.
        self._are_bars_behind = bool(at.spans_between(bars, self._events.positions))
        self._resume_gold(session, bars)

    def refine(self, records: DataFrame) -> Refined:
        """Give every record of the batch its outcome, and take its trades into Gold.

        Args:
            records: rows of bronze.trades, in a session of which this call may change settings.

        Raises:
            RegistryUnavailableError: a schema could not be asked for; nothing was committed.

        """
        session = records.sparkSession
        measures = self._decide(records)
        if all(is_next(self.positions, measure) for measure in measures):
            return self._commit(session, measures)
        # The batch is a repeated one, or has a hole: all of Bronze is taken from the positions to
        # the end of the batch.
        end = at.advance(self.positions, spans_of(measures))
        refined = NOTHING_REFINED
        for portion in portions(session, BRONZE_TRADES, self.positions, end, self._offsets_max):
            following = at.within(at.spans_between(self.positions, portion))
            measures = self._decide(session.table(BRONZE_TRADES.path).where(following))
            refined = refined.plus(self._commit(session, measures))
        return refined

    def _commit(self, session: SparkSession, measures: Sequence[Row]) -> Refined:
        """Take the view of the batch into Silver and Gold."""
        if not measures:
            return NOTHING_REFINED
        after = at.advance(self.positions, spans_of(measures))
        with recording(session, after):
            self._to_silver(session, measures)
        self.positions = after
        self._to_gold(session, measures)
        self._boundary("end")
        return Refined(
            rows=sum(measure.records for measure in measures),
            trades=sum(measure.trades for measure in measures),
            topics=frozenset(measure.topic for measure in measures if measure.trades > 0),
            newest_kafka_us=max(measure.newest_kafka_us for measure in measures),
            live=tuple(measure.tenths for measure in measures if measure.tenths),
        )

    @property
    def undecodable_events(self) -> int:
        """How many events could not be decoded since the start."""
        return self._events.undecodable

    def settle(self, session: SparkSession) -> None:
        """Take the events that are due, also where no trades come, and look for new ones.

        Raises:
            RegistryUnavailableError, KafkaUnavailableError: nothing was committed but whole steps;
                the next call goes on.

        """
        if self._events.are_due(self.positions) or self._are_bars_behind:
            self._to_bars(session, ())
        self._events.look(session)

    def _decide(self, batch: DataFrame) -> Sequence[Row]:
        """Make the view of the batch with its outcomes, and return its measures.

        The first pass assumes that its schemas are known, which is nearly always so; if not, it
        costs a further pass.
        """
        unknown = dict[int, None]()
        measures = self._measure_outcomes(batch, unknown)
        while missing := {i for measure in measures for i in measure.undecided_schema_ids}:
            for schema_id in missing:
                schema = self._registry.schema(schema_id)
                if schema is None:
                    unknown[schema_id] = None
                else:
                    self._writers[schema_id] = schema
            measures = self._measure_outcomes(batch, unknown)
        return measures

    def _measure_outcomes(self, records: DataFrame, unknown: dict[int, None]) -> Sequence[Row]:
        session = records.sparkSession
        decided = outcomes(records, {**self._writers, **unknown})
        kept_reason = F.lit(None).cast("string").alias("kept_reason")
        if at.spans_between(self.positions, self._quarantined):
            kept = session.table(SILVER_QUARANTINE.path).where(at.not_consumed(self.positions))
            kept = kept.select(*_KEY, F.col("reason").alias("kept_reason"))
            decided = decided.join(kept, _KEY, "left")
            kept_reason = F.col("kept_reason")
        decided = decided.select("*", kept_reason).withColumn(
            "reason", F.coalesce("kept_reason", "reason")
        )
        keep_view(decided.coalesce(1), BATCH)
        return _measure(session)

    def _to_silver(self, session: SparkSession, measures: Sequence[Row]) -> None:
        self._boundary("silver.quarantine")
        if any(measure.invalid > 0 for measure in measures):
            invalid = session.table(BATCH).where("reason IS NOT NULL AND kept_reason IS NULL")
            _append(invalid, SILVER_QUARANTINE)
        self._boundary("silver.trades")
        _append(session.table(BATCH).where("reason IS NULL"), SILVER_TRADES)

    def _resume_gold(self, session: SparkSession, bars: Positions) -> None:
        """Take into Gold what Silver held before the last process died, and bars did not know."""
        trades = consumed(session, GOLD_TRADES) or {}
        lacking = at.spans_between(at.lowest(trades, bars), self.positions)
        if not lacking:
            return
        rows = session.table(SILVER_TRADES.path).where(at.within(lacking))
        decided = rows.selectExpr(
            "*",
            "true AS is_decided",
            "CAST(NULL AS BIGINT) AS schema_id",
            "CAST(NULL AS STRING) AS reason",
            "CAST(NULL AS STRING) AS kept_reason",
        )
        keep_view(decided.coalesce(1), BATCH)
        self._to_gold(session, _measure(session))

    def _to_gold(self, session: SparkSession, measures: Sequence[Row]) -> None:
        tenths = {tenth for measure in measures for tenth in measure.tenths or ()}
        ranges = touched_ranges({tenth * TENTH_US // MINUTE_US for tenth in tenths}, MINUTE_US)
        known = self._minutes.let_go(session) if ranges else ()
        self._boundary("gold.trades")
        with recording(session, self.positions):
            if ranges:
                query = session.sql(gold.new_trades(BATCH, touched_ranges(tenths, TENTH_US)))
                keep_view(query, INSERTED)
                _append(session.table(INSERTED), GOLD_TRADES)
            else:
                _append(session.table(GOLD_TRADES.path).limit(0), GOLD_TRADES)
        if ranges:
            self._minutes.proceed(session, INSERTED, ranges, known)
        self._to_bars(session, ranges)
        if ranges:
            self._minutes.keep(session, ranges)

    def _to_bars(self, session: SparkSession, ranges: tuple[Range, ...]) -> None:
        changed = self._take_events(session)
        self._boundary("gold.ohlcv")
        with recording(session, {**self.positions, **self._events.positions}):
            touched_days = self._make_bars(session, ranges, changed)
            if touched_days:
                bars = session.sql(gold.replaced_bars(BARS, touched_days))
                bars.writeTo(GOLD_OHLCV.path).overwritePartitions()
            else:
                _append(session.table(GOLD_OHLCV.path).limit(0), GOLD_OHLCV)
        self._are_bars_behind = False

    def _take_events(self, session: SparkSession) -> tuple[Range, ...]:
        """Take the events that are due, and return the time in which completeness may change."""
        changed: tuple[Range, ...] = ()
        if self._events.are_due(self.positions):
            with recording(session, self._events.positions_after):
                changed = self._events.take(session)
        if self._are_bars_behind:
            changed = _ALL_TIME
        self._are_bars_behind = bool(changed)
        return changed

    def _make_bars(
        self, session: SparkSession, ranges: tuple[Range, ...], changed: tuple[Range, ...]
    ) -> tuple[Range, ...]:
        """Make the view of the bars that are to replace the stored ones; return their days."""
        if not ranges and not changed:
            return ()
        bars = session.sql(gold.bars(MINUTES, ranges, changed, self._events.markets))
        keep_view(bars.coalesce(1), BARS)
        touched_days = days((*ranges, *changed))
        if not changed or (ranges and count_days(touched_days) <= DAYS_MAX):
            return touched_days
        # Where what is known of much time has changed, few of its days have a bar that does.
        starts = session.sql(f"SELECT DISTINCT unix_micros(window_start) FROM {BARS}").collect()
        return days(Range(start, start + 1) for (start,) in starts)


def _append(rows: DataFrame, table: Table) -> None:
    columns = (f"`{name}`" for name in table.column_names)
    rows.select(*columns).writeTo(table.path).append()


def _measure(session: SparkSession) -> Sequence[Row]:
    return session.sql(statement("batch_measure", view=BATCH)).collect()
