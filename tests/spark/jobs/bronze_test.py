"""Goal: Bronze holds every record of Kafka once, also without its checkpoint, and a loss is told.

Method: a real broker, real Spark queries and Iceberg tables; offsets are lost as retention loses
them, and topics are deleted and made again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from pyspark.sql import SparkSession

from broker import Broker, Topics
from bronze import BronzeQuery, client_options, starting_offsets
from channel import Channel
from checkpoints import drop_checkpoint
from config import Config
from decoding import decode
from kafka_offsets import KafkaOffsets
from lake import NOON_US, Lake, Registry, encode, trade
from loss_events import write_loss_events
from losses import settle_losses
from lost_offsets import Lost
from progress import Progress
from record_schema import record_schema
from registry import SchemaRegistry
from tables import BRONZE_DEAD_LETTERS, BRONZE_TRADES
from waiting import until

ROOT = Path(__file__).resolve().parents[3]
EVENTS = "market.crypto.events"
EVENT_SCHEMA_ID = 260


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    broker = Broker(tmp_path_factory.mktemp("kafka"), ROOT / ".setup" / "kafka")
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def topics(spark: SparkSession, broker: Broker) -> Iterator[Topics]:
    topics = Topics(spark, broker.address)
    topics.create(EVENTS)
    yield topics
    topics.close()


@pytest.fixture(scope="module")
def registry() -> Iterator[SchemaRegistry]:
    answer = {"id": EVENT_SCHEMA_ID, "schema": json.dumps(record_schema("event"))}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(answer).encode()
            self.send_response(
                200 if self.path == f"/subjects/{EVENTS}-value/versions/latest" else 500
            )
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield SchemaRegistry(f"http://127.0.0.1:{server.server_port}")
    server.shutdown()


class Said(Channel):
    """A channel that keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[dict[str, object]] = []

    def send(self, kind: str, **values: object) -> None:
        """Keep a line."""
        self.lines.append({"type": kind, **values})


class Run:
    """Starts of the query of one topic."""

    def __init__(self, lake: Lake, registry: SchemaRegistry, config: Config, topic: str) -> None:
        self.lake = lake
        self.topic = topic
        self.kafka = KafkaOffsets(lake.spark, client_options(config))
        self._registry = registry
        self._config = config

    def query(self) -> BronzeQuery:
        """Return what a start of the driver makes."""
        return BronzeQuery(self.lake.spark, self._config, self.kafka, BRONZE_TRADES, [self.topic])

    def go(self, *, accept: bool = False) -> list[dict[str, object]]:
        """Take what Kafka has, where nothing is lost, and return what was said."""
        config = replace(self._config, accept_lost_offsets=accept)
        said = Said()
        query = self.query()
        startable = settle_losses(
            self.lake.spark, config, said, self.kafka, self._registry, [query]
        )
        for each in startable:
            running = each.start(0.1)
            running.processAllAvailable()
            running.stop()
        return said.lines

    def forget(self) -> None:
        """Remove the checkpoint."""
        drop_checkpoint(self.lake.spark, f"{self._config.checkpoint_dir}/bronze_trades")

    def landed(self) -> list[tuple[str, int, int, bytes]]:
        """Return Bronze's records: topic, partition, offset and value."""
        rows = self.lake.rows("bronze.trades", "topic, partition, offset")
        return [(row.topic, row.partition, row.offset, bytes(row.value)) for row in rows]


@pytest.fixture
def run(
    lake: Lake,
    broker: Broker,
    registry: SchemaRegistry,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> Run:
    topic = f"market.crypto.trades.{request.node.name.replace('[', '.').replace(']', '')}"
    config = Config(
        bootstrap_servers=broker.address,
        trade_topics=(topic,),
        schema_registry_url="",
        catalog_uri="",
        warehouse="",
        checkpoint_dir=f"{tmp_path}/checkpoints",
        temp_dir="/",
        jars_dir="/",
    )
    return Run(lake, registry, config, topic)


def values(*numbers: int) -> list[bytes]:
    return [b"%d" % number for number in numbers]


def test_starting_offsets_are_the_positions_and_the_earliest_elsewhere() -> None:
    offsets = starting_offsets({"a": {0: 5, 2: 9}}, {"a": 3, "b": 1})

    assert json.loads(offsets) == {"a": {"0": 5, "1": -2, "2": 9}, "b": {"0": -2}}


def test_without_a_checkpoint_every_partition_goes_on_where_the_table_ends(
    run: Run, topics: Topics
) -> None:
    topics.create(run.topic, partitions=2)
    topics.produce(run.topic, values(0, 1, 2))
    run.go()
    topics.produce(run.topic, values(3))
    topics.produce(run.topic, values(10), partition=1)
    run.forget()
    said = run.go()

    assert said == []
    assert run.landed() == [
        *((run.topic, 0, offset, b"%d" % offset) for offset in range(4)),
        (run.topic, 1, 0, b"10"),
    ]


def test_a_loss_stops_the_query_until_it_is_accepted_and_is_told_as_events(
    run: Run, topics: Topics
) -> None:
    topics.create(run.topic)
    topics.produce(run.topic, [encode(trade(n)) for n in range(3)])
    run.go()
    rows = run.lake.spark.table("lake.bronze.trades")
    run.lake.refinery().refine(rows)
    topics.produce(run.topic, [encode(trade(n)) for n in range(3, 8)])
    topics.lose(run.topic, before=6)

    stopped = run.go()
    landed_when_stopped = len(run.landed())
    accepted = run.go(accept=True)
    afterwards = run.go()

    reason = f"{run.topic}/0 has lost its offsets from 3 to 5 in Kafka"
    assert stopped == [
        {
            "type": "offsets_lost",
            "query": "bronze_trades",
            "topic": run.topic,
            "partition": 0,
            "first": 3,
            "end": 6,
            "reason": reason,
        }
    ]
    assert landed_when_stopped == 3
    assert accepted == [{"type": "warning", "reason": f"Accepted: {reason}"}]
    assert afterwards == []
    assert [offset for _, _, offset, _ in run.landed()] == [0, 1, 2, 6, 7]
    for name, event in zip(("offsets_lost", "offsets_accepted"), told(run), strict=True):
        assert (event.event, event.exchange, event.native_symbol) == (
            name,
            run.topic.split(".")[-1],
            None,
        )
        assert event.reason == reason
        assert event.gap_id == f"{run.topic.split('.')[-1]}:{run.topic}/0:3"
        assert event.from_timestamp.timestamp() * 1e6 == NOON_US + 2_000_000
        assert event.to_timestamp == event.timestamp > event.from_timestamp


@pytest.mark.usefixtures("topics")
def test_lost_events_put_each_market_in_doubt_from_where_it_is_confirmed(run: Run) -> None:
    for values_of_market in (
        "'kraken', 'BTC/USD', 1, timestamp_seconds(1), 9, timestamp_seconds(2)",
        "'binance', 'BTCUSDT', 1, timestamp_seconds(1), NULL, NULL",
    ):
        run.lake.spark.sql(f"INSERT INTO lake.silver.coverage VALUES ({values_of_market})")
    lost = Lost(EVENTS, 0, 3, 6)
    write_loss_events(run.lake.spark, run._config, run._registry, [(lost, {})], NOON_US)

    by_market = {(event.event, event.native_symbol): event for event in told(run, key=EVENTS)}
    assert len(by_market) == 4
    for (_, native_symbol), event in by_market.items():
        assert event.gap_id == f"{event.exchange}:{native_symbol}:{EVENTS}/0:3"
        assert event.from_timestamp.timestamp() == {"BTC/USD": 2, "BTCUSDT": 1}[native_symbol]
        assert event.to_timestamp.timestamp() * 1e6 == NOON_US


@pytest.mark.usefixtures("topics")
def test_lost_dead_letters_are_no_missing_trades(run: Run) -> None:
    lost = Lost("market.crypto.dead_letters", 0, 3, 6)
    write_loss_events(run.lake.spark, run._config, run._registry, [(lost, {})], NOON_US)

    events = told(run, key=lost.topic)
    assert [(event.event, event.exchange, event.gap_id) for event in events] == [
        ("offsets_lost", "", f":{lost.topic}/0:3"),
        ("offsets_accepted", "", f":{lost.topic}/0:3"),
    ]


def told(run: Run, key: str | None = None) -> list:
    """Return the events about a topic, the run's own unless said otherwise, as Silver has them."""
    kafka = run.lake.spark.read.format("kafka").options(
        **{"kafka.bootstrap.servers": run._config.bootstrap_servers, "subscribe": EVENTS}
    )
    records = kafka.load().where(f"CAST(key AS STRING) = '{key or run.topic}'").orderBy("offset")
    registry = Registry({EVENT_SCHEMA_ID: json.dumps(record_schema("event"))})
    return decode(records, "event", registry).selectExpr("record.*").collect()


def test_a_topic_that_was_made_anew_is_another_topic_to_the_lake(run: Run, topics: Topics) -> None:
    topics.create(run.topic)
    topics.produce(run.topic, [encode(trade(n)) for n in range(3)])
    run.go()
    refinery = run.lake.refinery()
    refinery.refine(run.lake.spark.table("lake.bronze.trades"))
    topics.delete(run.topic)
    topics.create(run.topic)
    topics.produce(run.topic, [encode(trade(n)) for n in range(10, 12)])

    (stopped,) = run.go()
    run.go(accept=True)
    run.forget()
    topics.produce(run.topic, [encode(trade(12))])
    afterwards = run.go()
    rows = run.lake.spark.table("lake.bronze.trades").where("topic LIKE '%#2'")
    refined = refinery.refine(rows)

    assert (stopped["first"], stopped["end"]) == (3, None)
    assert "was made anew in Kafka" in str(stopped["reason"])
    assert afterwards == []
    assert [row[:3] for row in run.landed()] == [
        *((run.topic, 0, offset) for offset in range(3)),
        *((f"{run.topic}#2", 0, offset) for offset in range(3)),
    ]
    assert run.query().positions == {f"{run.topic}#2": {0: 3}}
    assert refined.trades == 3
    assert [row.trade_id for row in run.lake.rows("gold.trades", "timestamp")] == [
        *("0", "1", "2", "10", "11", "12")
    ]


def test_a_batch_that_is_in_the_table_need_not_be_in_kafka(run: Run, topics: Topics) -> None:
    topics.create(run.topic)
    topics.produce(run.topic, values(0, 1))
    run.go()
    topics.produce(run.topic, values(2, 3))
    run.go()
    # The process died between the sink's commit and Spark's own note of it.
    commits = Path(run._config.checkpoint_dir) / "bronze_trades" / "commits"
    done = {int(path.name): path for path in commits.iterdir() if path.name.isdigit()}
    done[max(done)].unlink()
    topics.produce(run.topic, values(4))
    topics.lose(run.topic, before=4)

    assert run.go() == []
    assert [offset for _, _, offset, _ in run.landed()] == list(range(5))


def test_what_kafka_holds_leaves_out_what_it_does_not_have(run: Run, topics: Topics) -> None:
    topics.create(run.topic, partitions=2)
    topics.produce(run.topic, values(0, 1, 2), partition=1)
    topics.lose(run.topic, before=2, partition=1)

    held = run.kafka.held([run.topic, "no.such.topic"])

    assert {
        topic: {number: (each.first, each.end) for number, each in partitions.items()}
        for topic, partitions in held.items()
    } == {run.topic: {0: (0, 0), 1: (2, 3)}}


def test_a_query_without_topics_has_nothing_to_read(run: Run) -> None:
    assert (
        BronzeQuery(run.lake.spark, run._config, run.kafka, BRONZE_DEAD_LETTERS, []).topics
        == frozenset()
    )


def test_a_batch_after_a_time_without_any_is_told_too(run: Run, topics: Topics) -> None:
    topics.create(run.topic)
    topics.produce(run.topic, values(0, 1))
    session = run.lake.spark
    idle = "spark.sql.streaming.noDataProgressEventInterval"
    session.conf.set(idle, "100")
    query, said = run.query(), Said()
    failures: list[str] = []
    running = query.start(0.1)
    session.conf.unset(idle)
    progress = Progress(said, {query.name: query}, {}, lambda name, _: failures.append(name))
    progress.watch([running])
    running.processAllAvailable()
    # Spark's own word on an idle query, with the number of the batch that is still to come.
    until("the first batches", lambda: running.lastProgress["batchId"] == 1)
    topics.produce(run.topic, values(2, 3, 4))
    until("five rows", lambda: sum(int(str(line["rows"])) for line in said.lines) >= 5)
    running.stop()
    until("the failure", lambda: failures != [])

    assert [line["rows"] for line in said.lines if line["rows"]] == [2, 3]
    assert failures == [query.name]
