"""What happened to the feed, taken from bronze.events into Silver's tables of current state.

A confirmation says that every trade up to an instant is in Kafka or in a known gap. It says nothing
of Silver: Bronze may hold the confirmation before it holds the trades. So events wait. When they
are found, Kafka is asked how far its topics of trades reach - every trade that they speak of was
acknowledged before them and lies before those ends - and only when Silver has passed the ends are
the events taken. Bars would turn complete too early otherwise.

A portion of events commits silver.gaps, silver.sessions and, always and last, silver.coverage: its
positions say which events are taken. Taking them again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pyspark.sql import Row, SparkSession

import positions as at
from completeness import Bracket, Market, MarketKey, changed_ranges
from decoding import Registry, decode
from positions import Positions
from snapshots import consumed, reached
from statements import statement
from tables import BRONZE_EVENTS, SILVER_COVERAGE, SILVER_GAPS, SILVER_SESSIONS
from time_ranges import Range
from views import keep_view

#: Temporary view of the events at hand.
EVENTS = "events"
#: Temporary view of silver.coverage as it is to be.
COVERAGE = "coverage"
#: Events that are taken at once, at most, of each partition; the rest waits for the next time.
EVENTS_MAX = 50_000


@dataclass(frozen=True)
class _Waiting:
    """Events that are known of, and what must be in Silver before they may be taken."""

    #: Next offsets after the events.
    events: Positions
    #: Where Kafka's topics of trades ended once the events were in Bronze.
    trades: Positions


class Events:
    """Takes events into Silver. Make one at each start of the query: it begins with the tables.

    Args:
        session: any session of the driver.
        registry: where writers' schemas come from.
        trade_ends: asks Kafka for the next offset of every partition of the topics of trades.
        boundary: called with the name of each table as a portion comes to it.

    """

    def __init__(
        self,
        session: SparkSession,
        registry: Registry,
        trade_ends: Callable[[], Positions],
        boundary: Callable[[str], None],
    ) -> None:
        self._registry = registry
        self._trade_ends = trade_ends
        self._boundary = boundary
        self._waiting: _Waiting | None = None
        #: Next offsets after the events that are taken.
        self.positions: Positions = consumed(session, SILVER_COVERAGE) or {}
        self._brackets = _read_brackets(session)
        #: What is known of markets, as of these positions.
        self.markets = self._markets_in(session, SILVER_COVERAGE.path)
        #: Events that could not be decoded since the start; they stay in Bronze.
        self.undecodable = 0

    def look(self, session: SparkSession) -> None:
        """See whether there are events, unless some wait already."""
        if self._waiting is not None:
            return
        landed = reached(session, BRONZE_EVENTS, self.positions)
        events = at.first_portion(self.positions, landed, EVENTS_MAX)
        if at.spans_between(self.positions, events):
            self._waiting = _Waiting(events, self._trade_ends())

    def are_due(self, trades: Positions) -> bool:
        """Say whether events wait, and Silver with these positions has what they speak of."""
        return self._waiting is not None and not at.spans_between(trades, self._waiting.trades)

    @property
    def positions_after(self) -> Positions:
        """Next offsets after the events that are to be taken next."""
        return self.positions if self._waiting is None else self._waiting.events

    def take(self, session: SparkSession) -> tuple[Range, ...]:
        """Take the events that wait, in commits that the caller has given their positions.

        Returns:
            the time in which bars may have become complete, or not complete any more. `markets`
            holds what is known now.

        """
        after = self.positions_after
        spans = at.spans_between(self.positions, after)
        records = session.table(BRONZE_EVENTS.path).where(at.within(spans))
        events = decode(records, "event", self._registry).selectExpr(
            "topic", "partition", "offset", "record.*"
        )
        keep_view(events.where("event IS NOT NULL AND timestamp IS NOT NULL").coalesce(1), EVENTS)
        measures = session.sql(statement("events_measure", view=EVENTS)).collect()
        self.undecodable += at.count_offsets(spans) - sum(measure.events for measure in measures)
        self._boundary(SILVER_GAPS.name)
        if any(measure.gap_events for measure in measures):
            session.sql(statement("gaps_merge", view=EVENTS))
            self._brackets = _read_brackets(session)
        self._boundary(SILVER_SESSIONS.name)
        if any(measure.session_events for measure in measures):
            session.sql(statement("sessions_merge", view=EVENTS))
        self._boundary(SILVER_COVERAGE.name)
        coverage = session.sql(statement("coverage", view=EVENTS))
        keep_view(coverage.coalesce(1), COVERAGE)
        session.sql(f"INSERT OVERWRITE {SILVER_COVERAGE.path} SELECT * FROM {COVERAGE}")
        self.positions, self._waiting = after, None
        before, self.markets = self.markets, self._markets_in(session, COVERAGE)
        brackets = [_bracket(measure) for measure in measures if measure.gap_events]
        return changed_ranges(before, self.markets, brackets)

    def _markets_in(self, session: SparkSession, coverage: str) -> Mapping[MarketKey, Market]:
        """Return what is known of each market of a table or view like silver.coverage."""
        rows = session.sql(statement("markets", coverage=coverage)).collect()
        return {
            (row.exchange, row.native_symbol): Market(
                row.from_us,
                row.confirmed_us,
                (
                    *self._brackets.get((row.exchange, row.native_symbol), ()),
                    # A gap without a market is one of all of them.
                    *self._brackets.get((row.exchange, None), ()),
                ),
            )
            for row in rows
        }


def _read_brackets(session: SparkSession) -> Mapping[tuple[str, str | None], tuple[Bracket, ...]]:
    """Return the time brackets of the gaps that are open or unfillable."""
    brackets: dict[tuple[str, str | None], tuple[Bracket, ...]] = {}
    for row in session.sql(statement("brackets")).collect():
        key = (row.exchange, row.native_symbol)
        brackets[key] = (*brackets.get(key, ()), (row.from_us, row.to_us))
    return brackets


def _bracket(measure: Row) -> Bracket:
    return (measure.gaps_from_us, max(measure.gaps_from_us, measure.gaps_to_us))
