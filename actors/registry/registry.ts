/**
 * The embedded schema registry as an actor: Confluent's API on a loopback port, durable in one
 * file. It lets the platform run on one command; `K2_SCHEMA_REGISTRY_URL` names another registry,
 * and then this actor is not in the tree.
 *
 * @module
 */

import { fromCallback } from "xstate";
import type { Incarnation, Stop } from "../messages.ts";
import { isHostAllowed } from "../settings/host.ts";
import { answerRequest } from "./routes.ts";
import { SchemaStore } from "./store.ts";

/** What the registry is started with. */
export interface RegistryInput {
  readonly incarnation: Incarnation;
  /** Loopback port; 0 takes a free one, which the figure `port` tells. */
  readonly port: number;
  /** `<data_dir>/registry.db`. */
  readonly database_path: string;
}

const hostname = "127.0.0.1";
const body_bytes_max = 2 ** 20;

/** Serves the registry until told to stop. A port that is taken is a crash. */
export const registryActor = fromCallback<Stop, RegistryInput>(({ input, receive }) => {
  const { incarnation } = input;
  const { report, signal } = incarnation;
  const store = new SchemaStore(input.database_path);
  let requests = 0;
  const server = listen(input.port, store, () => {
    requests += 1;
    report.figures.requests_total = requests;
    report.figures.subjects = store.subjects().length;
  });

  let is_open = true;
  function letGo(): void {
    if (!is_open) return;
    is_open = false;
    server.stop(true);
    store.close();
  }
  signal.addEventListener("abort", letGo, { once: true });
  receive(() => {
    letGo();
    incarnation.exit({ kind: "normal" });
  });
  report.state = "serving";
  report.figures.port = server.port ?? input.port;
  report.figures.requests_total = 0;
  report.figures.subjects = store.subjects().length;
  incarnation.ready();
  return letGo;
});

/** @throws {Error} where the port is taken; the store is then closed again. */
function listen(port: number, store: SchemaStore, count: () => void) {
  try {
    return Bun.serve({
      hostname,
      port,
      maxRequestBodySize: body_bytes_max,
      fetch: async (request) => {
        if (!isHostAllowed(request.headers.get("host"), hostname)) {
          return new Response("This registry answers only to the names of this machine\n", {
            status: 403,
          });
        }
        const response = await answerRequest(store, request);
        count();
        return response;
      },
    });
  } catch (error) {
    store.close();
    throw error;
  }
}
