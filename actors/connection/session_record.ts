/**
 * The record of one socket: every message verbatim, received and sent, in one count, and the events
 * that it was opened and closed. What a message means is nobody's business here, because what is
 * kept must not depend on who can read it.
 *
 * @module
 */

import { feedEvent } from "../../schemas/event.ts";
import type { FrameEntry, FrameSession, RecordSink } from "../messages.ts";

/** An entry of ours, which is written anew for each message. */
type OwnEntry = { -readonly [Field in keyof FrameEntry]: FrameEntry[Field] };

/** What one socket said and was told, and that it began and ended. */
interface SessionRecord {
  /** The received message that was kept last; written anew by the next one. */
  readonly arrival: FrameEntry;
  keepReceived(frame: string | Uint8Array): void;
  /** Returns when it was sent, nanoseconds of the monotonic clock. */
  keepSent(text: string): number;
  /** The socket is open. */
  begin(): void;
  /** The socket is over; only the first reason counts. */
  end(reason: string): void;
}

/** Opens the record of one socket, which is yet to be opened. */
export function openRecord(of: {
  readonly session: FrameSession;
  readonly sink: Pick<RecordSink, "addEvent" | "openFrames">;
  readonly now_us: () => number;
  readonly monotonic_ns: () => number;
}): SessionRecord {
  const { monotonic_ns, now_us, session, sink } = of;
  const frames = sink.openFrames(session);
  // Of its own each way, because a message that is read may make the machine send one.
  const arrival = makeEntry("RECEIVED");
  const departure = makeEntry("SENT");
  let frames_count = 0;
  let has_begun = false;
  let is_over = false;

  function keep(entry: OwnEntry, frame: string | Uint8Array): void {
    entry.frame_sequence = frames_count;
    entry.received_us = now_us();
    entry.received_monotonic_ns = monotonic_ns();
    entry.frame = frame;
    frames_count += 1;
    frames.add(entry);
  }
  function addEvent(event: "session_opened" | "session_closed", reason: string | null): void {
    const timestamp = now_us();
    sink.addEvent(feedEvent({ ...session, event, timestamp, reason }));
  }
  return {
    arrival,
    keepReceived: (frame) => keep(arrival, frame),
    keepSent(text) {
      keep(departure, text);
      return departure.received_monotonic_ns;
    },
    begin() {
      has_begun = true;
      addEvent("session_opened", null);
    },
    end(reason) {
      if (is_over) return;
      is_over = true;
      frames.close();
      if (has_begun) addEvent("session_closed", reason);
    },
  };
}

function makeEntry(direction: FrameEntry["direction"]): OwnEntry {
  return {
    frame_sequence: 0,
    direction,
    kind: "MESSAGE",
    request: null,
    received_us: 0,
    received_monotonic_ns: 0,
    frame: "",
  };
}
