"""Goal: what is told of Gold's freshness is never better than the truth, nor much worse.

Method: counts by tenth of a second and commit times in, percentiles out.
"""

from __future__ import annotations

from freshness import AGE_US_MAX, WINDOW_US, Freshness, ages
from time_ranges import SECOND_US, TENTH_US

COMMITTED_US = 1_787_745_600_000_000


def tenth_before(age_us: int) -> int:
    return (COMMITTED_US - age_us) // TENTH_US


def test_ages_are_counted_by_the_upper_bound_of_their_bucket() -> None:
    one = {tenth_before(TENTH_US): 3, tenth_before(2 * SECOND_US + 1): 1, tenth_before(0): 2}
    other = {tenth_before(90 * SECOND_US + TENTH_US): 4, tenth_before(3600 * SECOND_US): 5}
    ahead_or_not_live = {tenth_before(-SECOND_US): 1, tenth_before(SECOND_US): 0}

    counted = ages([one, other, ahead_or_not_live], COMMITTED_US)

    assert counted == {
        TENTH_US: 3 + 2 + 1,
        21 * TENTH_US: 1,
        91 * SECOND_US: 4,
        AGE_US_MAX: 5,
    }


def test_percentiles_are_of_the_last_five_minutes() -> None:
    freshness = Freshness()
    before = freshness.percentile_s(50)
    freshness.add(COMMITTED_US, ages([{tenth_before(60 * SECOND_US): 1000}], COMMITTED_US))
    slow = freshness.percentile_s(50)
    later_us = COMMITTED_US + WINDOW_US + 1
    live = {later_us // TENTH_US - 10: 98, later_us // TENTH_US - 50: 2}
    freshness.add(later_us, ages([live], later_us))

    assert (before, slow) == (None, 60.0)
    assert (freshness.percentile_s(50), freshness.percentile_s(98)) == (1.1, 1.1)
    assert freshness.percentile_s(99) == 5.1
