"""How fresh Gold is: from a trade's exchange time to the commit that shows it and its bars.

Ages of the last five minutes are counted in buckets of a tenth of a second up to a minute, of a
second up to ten minutes, and one for all beyond. A percentile is the upper bound of its bucket, so
that it is not told better than it is. Pure: the time comes in.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping

from time_ranges import MINUTE_US, SECOND_US, TENTH_US

#: How long a batch counts.
WINDOW_US = 5 * MINUTE_US
#: Up to here a bucket is a tenth of a second, and up to `AGE_US_MAX` a second.
FINE_US_MAX = MINUTE_US
#: Everything older is as old as this.
AGE_US_MAX = 10 * MINUTE_US


def ages(tenths: Iterable[Mapping[int, int]], committed_us: int) -> Counter[int]:
    """Count trades by the upper bound of their age's bucket, microseconds.

    Args:
        tenths: number of trades by the tenth of a second, from 1970, that they happened in.
        committed_us: when they became visible, microseconds since 1970.

    """
    found: Counter[int] = Counter()
    for counts in tenths:
        for tenth, count in counts.items():
            if count > 0:
                found[_bucket(committed_us - tenth * TENTH_US)] += count
    return found


class Freshness:
    """The ages of the last five minutes' trades."""

    def __init__(self) -> None:
        self._batches: deque[tuple[int, Counter[int]]] = deque()
        self._total: Counter[int] = Counter()

    def add(self, committed_us: int, counted: Counter[int]) -> None:
        """Add a batch, and let those go that are too old."""
        self._batches.append((committed_us, counted))
        self._total += counted
        while self._batches[0][0] < committed_us - WINDOW_US:
            self._total -= self._batches.popleft()[1]

    def percentile_s(self, percent: int) -> float | None:
        """Return the age in seconds that so many percent do not exceed; None without trades."""
        rank = -(-self._total.total() * percent // 100)
        for bound_us in sorted(self._total):
            rank -= self._total[bound_us]
            if rank <= 0:
                return bound_us / SECOND_US
        return None


def _bucket(age_us: int) -> int:
    width_us = TENTH_US if age_us <= FINE_US_MAX else SECOND_US
    return min(max(-(-age_us // width_us), 1) * width_us, AGE_US_MAX)
