/**
 * Finds loopback ports nobody listens on. Between finding and using, somebody else may take it:
 * a port is chosen once, at the first start of a data directory, and kept there.
 *
 * @module
 */

import { createServer } from "node:net";

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export function chooseFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (typeof address === "object" && address !== null) resolve(address.port);
        else reject(new Error("Cannot choose a port: the system named none"));
      });
    });
  });
}

/** Whether a TCP port of 127.0.0.1 can be listened on. */
export function isPortFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}
