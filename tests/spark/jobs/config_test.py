"""Goal: a wrong configuration is refused with one sentence that names what is wrong.

Method: the first line of stdin as text.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from config import parse_config

GIVEN: dict[str, Any] = {
    "bootstrap_servers": "127.0.0.1:9092",
    "trade_topics": ["market.crypto.trades.kraken"],
    "schema_registry_url": "http://127.0.0.1:8081",
    "catalog_uri": "jdbc:sqlite:/data/lake/catalog.db",
    "warehouse": "file:///data/lake/warehouse",
    "checkpoint_dir": "/data/lake/checkpoints",
    "temp_dir": "/data/temp",
    "jars_dir": "/checkout/.setup/spark",
}


def test_what_is_left_out_has_its_default_and_unknown_names_are_ignored() -> None:
    config = parse_config(json.dumps({**GIVEN, "invented_later": 1, "fault": None}))

    assert config.trade_topics == ("market.crypto.trades.kraken",)
    assert (config.trigger_seconds, config.driver_memory, config.fault) == (2, "1g", None)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "JSON object"),
        ("[]", "JSON object"),
        (json.dumps({**GIVEN, "trade_topics": []}), "trade_topics is empty"),
        (json.dumps({**GIVEN, "temp_dir": "temp"}), 'temp_dir is "temp"'),
        (json.dumps({**GIVEN, "trigger_seconds": 0}), "trigger_seconds is 0"),
        (json.dumps({**GIVEN, "max_offsets_per_trigger": "many"}), "max_offsets_per_trigger"),
        (json.dumps({**GIVEN, "mode": "rest"}), 'mode is "rest": it must be stream or maintain'),
        (json.dumps({**GIVEN, "retention_silver_days": -1}), "retention_silver_days is -1"),
        (json.dumps({**GIVEN, "maintenance_minutes": "5"}), "maintenance_minutes is '5'"),
        (json.dumps({**GIVEN, "snapshot_hours_min": 0}), "snapshot_hours_min is 0"),
        (json.dumps({n: v for n, v in GIVEN.items() if n != "warehouse"}), "warehouse"),
    ],
)
def test_a_wrong_line_is_refused_in_one_sentence(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        parse_config(line)

    assert "\n" not in str(raised.value)
