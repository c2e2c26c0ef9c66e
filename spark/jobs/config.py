"""What the driver is told: one JSON object on the first line of its stdin.

It comes over stdin and not as arguments, because it may hold secrets and every process of a machine
can read the arguments of the others. Parsing is pure; a wrong value is a ValueError whose text is
one sentence with the name, the value and what is allowed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from pathlib import PurePath
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Config:
    """Settings of one driver process."""

    #: `host:port,…` of the Kafka brokers.
    bootstrap_servers: str
    #: Topics of trades, all read by one query.
    trade_topics: tuple[str, ...]
    #: Base URL of the schema registry, without credentials.
    schema_registry_url: str
    #: JDBC address of the Iceberg catalog, `jdbc:sqlite:/…/catalog.db`; may hold a password.
    catalog_uri: str
    #: Where tables stand: `file:///…/warehouse`.
    warehouse: str
    #: Where the queries remember what they have read: a folder or a URL.
    checkpoint_dir: str
    #: A folder of this driver alone: all that Spark and the JVM want to write for themselves.
    temp_dir: str
    #: The folder with Spark's staged jars.
    jars_dir: str
    #: Topics of verbatim frames, all read by one query; none: frames stay out of the lake.
    frame_topics: tuple[str, ...] = ()
    event_topic: str = "market.crypto.events"
    dead_letter_topic: str = "market.crypto.dead_letters"
    #: Further Kafka client properties, with or without Spark's prefix `kafka.`. Secret.
    kafka_options: dict[str, str] = field(default_factory=dict)
    schema_registry_username: str | None = None
    #: Secret.
    schema_registry_password: str | None = None
    #: The authorities that the registry's certificate is checked against, as PEM.
    schema_registry_ca: str | None = None
    master: str = "local[*]"
    driver_memory: str = "1g"
    #: Options of the JVM besides ours, separated by spaces.
    driver_java_options: str = ""
    trigger_seconds: float = 2
    max_offsets_per_trigger: int = 100_000
    #: `stream` runs the queries; `maintain` maintains the lake once and ends.
    mode: str = "stream"
    #: Between two runs of maintenance; 0: only when asked.
    maintenance_minutes: float = 0
    #: Snapshots live at least so long.
    snapshot_hours_min: float = 1
    #: Whole days that rows are kept, 0 for ever.
    retention_bronze_days: int = 7
    retention_frames_days: int = 3
    retention_silver_days: int = 30
    retention_gold_days: int = 0
    #: Whether to go on without the offsets that Kafka has lost before they were read.
    accept_lost_offsets: bool = False
    #: Name of a boundary in a batch at which the driver kills itself. Tests only.
    fault: str | None = None


def parse_config(line: str) -> Config:
    """Read the first line of stdin.

    Unknown names are ignored: the parent may be newer than the driver, never older.

    Raises:
        ValueError: one sentence that names the setting.

    """
    try:
        values: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"The first line of stdin must be a JSON object: {error}") from error
    if not isinstance(values, dict):
        raise ValueError("The first line of stdin must be a JSON object")
    known = {name.name for name in fields(Config)}
    given = {name: value for name, value in values.items() if name in known and value is not None}
    for name in ("trade_topics", "frame_topics"):
        if isinstance(given.get(name), list):
            given[name] = tuple(given[name])
    try:
        config = Config(**given)
    except TypeError as error:
        raise ValueError(f"The driver's configuration is not whole: {error}") from error
    _check(config)
    return config


def _check(config: Config) -> None:
    if not config.trade_topics:
        raise ValueError("trade_topics is empty: it must name at least one topic")
    for name in ("temp_dir", "jars_dir"):
        path = getattr(config, name)
        if not PurePath(path).is_absolute():
            raise ValueError(f'{name} is "{path}": it must be an absolute path')
    if not isinstance(config.accept_lost_offsets, bool):
        raise ValueError(
            f"accept_lost_offsets is {config.accept_lost_offsets!r}: it must be true or false"
        )
    for name in ("trigger_seconds", "max_offsets_per_trigger", "snapshot_hours_min"):
        number = getattr(config, name)
        if not _is_number(number) or number <= 0:
            raise ValueError(f"{name} is {number!r}: it must be a number above zero")
    for name in ("maintenance_minutes", *_RETENTIONS):
        number = getattr(config, name)
        if not _is_number(number) or number < 0:
            raise ValueError(f"{name} is {number!r}: it must be a number, 0 or above")
    if config.mode not in ("stream", "maintain"):
        raise ValueError(f'mode is "{config.mode}": it must be stream or maintain')


_RETENTIONS = tuple(name.name for name in fields(Config) if name.name.startswith("retention_"))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
