"""The one-minute bars that batches touch, carried on from one batch to the next.

At a thousand trades a second a minute holds sixty thousand, and a batch that read them all again to
add its own would cost the more the later it comes. So what a batch has computed of its minutes
stays in the session, in parts that further trades can be joined to, and the next batch continues it
with just the trades that gold.trades has got meanwhile. That counts each trade once, because only
the refinery puts rows into gold.trades: what is kept is let go before a batch, and is known again
when the batch has come through. Whoever starts anew knows nothing and computes from gold.trades.
"""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import SparkSession

import gold
from time_ranges import Range
from views import keep_view

#: Temporary view of the one-minute bars of the newest batch with trades.
MINUTES = "minutes"


class Minutes:
    """One-minute bars in parts, in a temporary view of the session."""

    def __init__(self) -> None:
        self._known: tuple[Range, ...] = ()
        self._session_id: str | None = None

    def let_go(self, session: SparkSession) -> tuple[Range, ...]:
        """Return what the view holds of time, and take it for unknown from here on.

        Args:
            session: where the view is to be continued. In another one nothing is known.

        """
        known, self._known = self._known, ()
        return known if session._jsparkSession.sessionUUID() == self._session_id else ()

    def proceed(
        self,
        session: SparkSession,
        inserted: str,
        ranges: Sequence[Range],
        known: Sequence[Range],
    ) -> None:
        """Make the view of the one-minute bars of the ranges.

        Args:
            session: the view stands in it.
            inserted: view of the trades that gold.trades has got since `known` was let go.
            ranges: whole minutes that hold them.
            known: what was let go.

        """
        keep_view(session.sql(gold.minutes(inserted, MINUTES, ranges, known)), MINUTES)

    def keep(self, session: SparkSession, ranges: Sequence[Range]) -> None:
        """Take the view as known: it has been computed, and the batch has come through."""
        self._known = tuple(ranges)
        self._session_id = session._jsparkSession.sessionUUID()
