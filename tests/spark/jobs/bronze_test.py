"""Goal: without a checkpoint Bronze goes on where the table ends, in every partition.

Method: the pure part only; reading Kafka itself is shown by the end-to-end test.
"""

from __future__ import annotations

import json

from bronze import starting_offsets


def test_it_goes_on_at_the_positions_and_from_the_earliest_elsewhere() -> None:
    offsets = starting_offsets({"a": {0: 5, 2: 9}}, {"a": 3, "b": 1})

    assert json.loads(offsets) == {"a": {"0": 5, "1": -2, "2": 9}, "b": {"0": -2}}
