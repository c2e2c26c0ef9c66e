/**
 * The Kafka client's process, run by Node: the client is a native addon that kills a Bun process,
 * and here a crash in it costs a restart of this process and nothing else.
 *
 * stdin: one line of JSON, `{"properties": {…}, "topics": […]}`, which may hold secrets; then
 * packets as `batch.ts` writes them. stdout, a line each:
 * ```
 * R                          connected
 * H                          once a second: this process is not stuck
 * A <batch> [<index>:<reason>,…]   every record of the batch is settled; those named are refused
 * F <code> <message>         the broker could not take a record now: this process ends, and what
 *                            is not acknowledged has to be sent again, in order, to another one
 * ```
 * It ends when stdin ends, once everything it was given is settled: no orphan is possible.
 */

"use strict";

const { Producer } = require("@confluentinc/kafka-javascript");
const { watchLogin, withTokens } = require("./kafka_login.cjs");

/** The longest wait for acknowledgements once stdin has ended. */
const end_ms_max = 10_000;

/** librdkafka's codes of errors that another attempt cannot change; all others end the process. */
const refusal_reasons = new Map([
  [4, "record_invalid"], // INVALID_MSG_SIZE
  [10, "record_too_large"], // MSG_SIZE_TOO_LARGE
  [18, "record_too_large"], // RECORD_LIST_TOO_LARGE
  [32, "record_invalid"], // INVALID_TIMESTAMP
  [43, "record_invalid"], // UNSUPPORTED_FOR_MESSAGE_FORMAT
  [44, "record_invalid"], // POLICY_VIOLATION
  [87, "record_invalid"], // INVALID_RECORD
  [-138, "record_invalid"], // _INVALID_DIFFERENT_RECORD: another one of its Kafka batch
]);
const queue_full = -184;
const queue_full_wait_ms = 5;
const connect_ms_max = 10_000;
const disconnect_ms_max = 2_000;
/** A batch's slot times this, plus a record's index, is the one number that names the record. */
const record_factor = 65_536;
const header_bytes = 8;
const exit_retry = 75;
const heartbeat_ms = 1_000;

/**
 * Batches with unsettled records, by slot. The client keeps the number of each record that is on
 * its way; as slots are used again it stays below 2^31, where V8 needs no object for it: with ids
 * in their place the collector had thousands more to look after.
 */
const open_batches = [];
const free_slots = [];
/** Records that were refused among others, as [batch, index]: each is tried once more, alone. */
const suspects = [];
let outstanding = 0;
let is_alone = false;
let producer = null;
let topics = [];
let is_ended = false;
let is_failed = false;
let is_connected = false;
let is_closing = false;

function printLine(line) {
  // Written at once: an acknowledgement that waits in a buffer is latency.
  process.stdout.write(`${line}\n`);
}

/** The broker cannot take a record now. Delivery reports still come until the line is written. */
function fail(code, message) {
  is_failed = true;
  process.stdout.write(`F ${code} ${message}\n`, () => process.exit(exit_retry));
}

/** Packets whose bytes are all here; the batch of the current one may be half produced. */
const packets = [];
let current = null;

function pump() {
  if (suspects.length > 0) {
    if (outstanding === 0) produceSuspect();
    return;
  }
  for (;;) {
    if (current === null) {
      const packet = packets.shift();
      if (packet === undefined) break;
      current = openBatch(packet);
    }
    while (current.next < current.count) {
      if (!produceNext(current)) return;
    }
    current = null;
  }
  process.stdin.resume();
  if (is_ended && outstanding === 0) end();
}

function openBatch(packet) {
  const id = packet.readUIntLE(0, 6);
  const count = packet.readUInt16LE(6);
  const slot = free_slots.pop() ?? open_batches.length;
  const offsets = new Uint32Array(count);
  const progress = { left: count, next: 0, offset: header_bytes, refusals: [] };
  const batch = { id, slot, count, packet, offsets, ...progress };
  open_batches[slot] = batch;
  return batch;
}

/** Hands the batch's next record to the client. False where its queue is full: come back later. */
function produceNext(batch) {
  const index = batch.next;
  const start = batch.offset;
  batch.offsets[index] = start;
  const record = readRecord(batch.packet, start);
  const code = produce(batch.slot * record_factor + index, record);
  if (code === queue_full) {
    process.stdin.pause();
    setTimeout(pump, queue_full_wait_ms);
    return false;
  }
  if (is_failed) return false;
  batch.next += 1;
  batch.offset = record.end;
  if (code !== 0) settle(batch, index, code);
  return true;
}

function readRecord(packet, start) {
  const key_end = start + 3 + packet.readUInt16LE(start + 1);
  const value_start = key_end + 4;
  const end = value_start + packet.readUInt32LE(key_end);
  return {
    topic: topics[packet[start]],
    key: packet.subarray(start + 3, key_end),
    value: packet.subarray(value_start, end),
    end,
  };
}

/** 0 where the client took it, else the error's code. */
function produce(opaque, { topic, key, value }) {
  try {
    producer.produce(topic, null, value, key, null, opaque);
    outstanding += 1;
    return 0;
  } catch (error) {
    if (error.code !== queue_full && !refusal_reasons.has(error.code)) {
      fail(error.code ?? 0, error.message);
    }
    return error.code ?? 1;
  }
}

function onDelivered(error, report) {
  const index = report.opaque % record_factor;
  const batch = open_batches[(report.opaque - index) / record_factor];
  outstanding -= 1;
  if (!error) {
    settle(batch, index, 0);
  } else if (!refusal_reasons.has(error.code)) {
    fail(error.code, error.message);
    return;
  } else if (is_alone) {
    settle(batch, index, error.code);
  } else {
    // The broker refuses Kafka's batches whole: this record may only have stood beside the one
    // that it cannot take. Nothing further is sent until each has been tried by itself.
    suspects.push([batch, index]);
  }
  if (outstanding === 0) pump();
}

function produceSuspect() {
  suspects.sort(([one, index], [other, other_index]) => one.id - other.id || index - other_index);
  is_alone = true;
  const [batch, index] = suspects[0];
  const code = produce(
    batch.slot * record_factor + index,
    readRecord(batch.packet, batch.offsets[index]),
  );
  if (code === queue_full) {
    setTimeout(pump, queue_full_wait_ms);
  } else if (code !== 0 && !is_failed) {
    settle(batch, index, code);
    pump();
  }
}

/** A record has its outcome; the last one of a batch settles the batch. */
function settle(batch, index, code) {
  if (is_alone) {
    suspects.shift();
    is_alone = false;
  }
  if (code !== 0) batch.refusals.push(`${index}:${refusal_reasons.get(code) ?? "record_invalid"}`);
  batch.left -= 1;
  if (batch.left > 0) return;
  open_batches[batch.slot] = undefined;
  free_slots.push(batch.slot);
  const refusals = batch.refusals.length === 0 ? "" : ` ${batch.refusals.join(",")}`;
  printLine(`A ${batch.id}${refusals}`);
}

function end() {
  if (is_closing) return;
  is_closing = true;
  producer.disconnect(disconnect_ms_max, () => process.exit(0));
  // The disconnect's own callback may never come while brokers are away; all is settled anyway.
  setTimeout(() => process.exit(0), disconnect_ms_max * 2).unref();
}

/** Bytes that are not read yet, as they came, and how many have to be there to go on. */
let chunks = [];
let chunks_bytes = 0;
let bytes_needed = 0;

function onBytes(chunk) {
  chunks.push(chunk);
  chunks_bytes += chunk.length;
  // Joined once a packet is whole: joining at every chunk would copy a large one again and again.
  if (chunks_bytes < bytes_needed) return;
  const bytes = chunks.length === 1 ? chunk : Buffer.concat(chunks);
  const start = producer === null ? readConfig(bytes) : 0;
  const rest = producer === null ? bytes : bytes.subarray(readPackets(bytes, start));
  chunks = rest.length === 0 ? [] : [rest];
  chunks_bytes = rest.length;
  bytes_needed = producer === null || rest.length < 4 ? 0 : 4 + rest.readUInt32LE(0);
  if (current === null && packets.length > 0) pump();
}

/** Reads the first line, once it is whole; returns where the packets begin. */
function readConfig(bytes) {
  const newline = bytes.indexOf(10);
  if (newline < 0) return 0;
  connect(JSON.parse(bytes.subarray(0, newline).toString()));
  return newline + 1;
}

/** Reads every whole packet; returns where the first that is not begins. */
function readPackets(bytes, offset) {
  let start = offset;
  while (bytes.length - start >= 4) {
    const next = start + 4 + bytes.readUInt32LE(start);
    if (bytes.length < next) break;
    // Copied, because the chunk that holds it is larger and would be kept alive as a whole.
    packets.push(Buffer.from(bytes.subarray(start + 4, next)));
    start = next;
  }
  return start;
}

function connect(config) {
  topics = config.topics;
  producer = new Producer({ ...withTokens(config.properties), dr_cb: true });
  // Brokers that are away are reported again every second, and a token that cannot be had as often
  // as the client asks for it: once is enough, until one delivers.
  const told = new Set();
  function tell({ code = "", message }) {
    if (!told.has(message)) process.stderr.write(`${code} ${message}\n`.trimStart());
    told.add(message);
  }
  producer.on("event.error", tell);
  producer.on("error", tell);
  producer.on("delivery-report", (error, report) => {
    if (told.size > 0) told.clear();
    onDelivered(error, report);
  });
  process.stdin.pause();
  const endWatch = watchLogin(producer, (words) => fail(0, words));
  producer.connect({ timeout: connect_ms_max }, (error) => {
    endWatch();
    if (error) {
      fail(error.code ?? 0, error.message);
      return;
    }
    is_connected = true;
    producer.setPollInBackground(true);
    printLine("R");
    process.stdin.resume();
  });
}

// A write to a reader that was killed fails. What was taken from it is delivered all the same:
// dying of it would leave half a batch in Kafka, trades without their frames.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
setInterval(() => printLine("H"), heartbeat_ms).unref();
process.stdin.on("data", onBytes);
process.stdin.on("end", () => {
  is_ended = true;
  // Nothing was sent before the connection stood, so there is nothing to wait for.
  if (!is_connected) process.exit(0);
  // Where Kafka is away, its acknowledgements may never come, and nobody is left to wait for them.
  setTimeout(() => process.exit(1), end_ms_max).unref();
  if (current === null) pump();
});
