/**
 * The floor of whatever ends in Kafka: the Kafka client alone, in Node, with bytes that are ready.
 * It is given its records beforehand and then hands them to the client as fast as it takes them;
 * nothing is parsed, copied or passed on meanwhile, and of a delivery only its number is kept.
 *
 * stdin: one line of JSON, `{"properties": {…}, "topics": […], "records": n}`, then packets as
 * `batch.ts` writes them, whose records are sent again and again until there are n. stdout, a line
 * of JSON: `{"records": n, "seconds": n, "cpu_s": n}`, from the first record to the last delivery.
 */

"use strict";

const { Producer } = require("@confluentinc/kafka-javascript");

const connect_ms_max = 10_000;
const disconnect_ms_max = 2_000;
/** As many as the outbox has with its port at most: more of them only cost memory. */
const outstanding_max = 32_000;
/** Records handed over at a stretch, before deliveries may come in between. */
const stretch_records = 500;

/** Every record of the packets, in memory of its own. */
function readRecords(bytes, topics) {
  const records = [];
  for (let start = 0; start < bytes.length; ) {
    const end = start + 4 + bytes.readUInt32LE(start);
    for (let offset = start + 12; offset < end; ) {
      const key_end = offset + 3 + bytes.readUInt16LE(offset + 1);
      const value_start = key_end + 4;
      const value_end = value_start + bytes.readUInt32LE(key_end);
      const key = Buffer.from(bytes.subarray(offset + 3, key_end));
      const value = Buffer.from(bytes.subarray(value_start, value_end));
      records.push({ topic: topics[bytes[offset]], key, value });
      offset = value_end;
    }
    start = end;
  }
  return records;
}

function fail(error) {
  process.stderr.write(`${error.code} ${error.message}\n`);
  process.exit(1);
}

/** Sends `total` records and tells what it took. */
function produceAll(producer, records, total) {
  let produced = 0;
  let delivered = 0;
  let is_scheduled = false;
  const begun_ms = performance.now();
  const begun = process.cpuUsage();

  function produceStretch() {
    is_scheduled = false;
    const stop = Math.min(total, produced + stretch_records, delivered + outstanding_max);
    for (; produced < stop; produced += 1) {
      const { topic, key, value } = records[produced % records.length];
      producer.produce(topic, null, value, key, null, produced);
    }
    schedule();
  }
  function schedule() {
    if (is_scheduled || produced >= Math.min(total, delivered + outstanding_max)) return;
    is_scheduled = true;
    setImmediate(produceStretch);
  }
  function finish() {
    const seconds = (performance.now() - begun_ms) / 1_000;
    const { user, system } = process.cpuUsage(begun);
    const result = { records: total, seconds, cpu_s: (user + system) / 1e6 };
    process.stdout.write(`${JSON.stringify(result)}\n`);
    producer.disconnect(disconnect_ms_max, () => process.exit(0));
  }
  producer.on("delivery-report", (error) => {
    if (error) fail(error);
    delivered += 1;
    if (delivered === total) finish();
    else schedule();
  });
  schedule();
}

const chunks = [];
process.stdin.on("data", (chunk) => chunks.push(chunk));
process.stdin.on("end", () => {
  const bytes = Buffer.concat(chunks);
  const packets_start = bytes.indexOf(10) + 1;
  const config = JSON.parse(bytes.subarray(0, packets_start).toString());
  const records = readRecords(bytes.subarray(packets_start), config.topics);
  const producer = new Producer({ ...config.properties, dr_cb: true });
  producer.on("event.error", (error) => process.stderr.write(`${error.message}\n`));
  producer.connect({ timeout: connect_ms_max }, (error) => {
    if (error) fail(error);
    producer.setPollInBackground(true);
    produceAll(producer, records, config.records);
  });
});
