/**
 * One GET over REST, bounded in time and size. What an exchange or a network does to a request is
 * an operating error, so it comes back as a value that names it; nothing here throws or retries.
 *
 * @module
 */

import { reasonOf } from "../settings/exit.ts";

/** What became of a request. */
export type RestAnswer =
  | { readonly kind: "text"; readonly text: string }
  /** Another status than 200; `retry_after` is the header verbatim. */
  | { readonly kind: "refused"; readonly status: number; readonly retry_after: string | null }
  /** No whole answer came; one clause without a full stop. */
  | { readonly kind: "failed"; readonly reason: string };

/** Fetches one page. */
export type GetPage = (url: string) => Promise<RestAnswer>;

const answer_ms_max = 10_000;
/** Far above any list or page; it bounds what a peer can make us hold. */
const answer_bytes_max = 64 * 2 ** 20;

/** Fetches one page with the limits above. */
export async function getPage(url: string): Promise<RestAnswer> {
  return await getPageWithin(url, { ms_max: answer_ms_max, bytes_max: answer_bytes_max });
}

/** Fetches one page with given limits: milliseconds to the last byte, and bytes of the answer. */
export async function getPageWithin(
  url: string,
  limits: { readonly ms_max: number; readonly bytes_max: number },
): Promise<RestAnswer> {
  const { ms_max, bytes_max } = limits;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ms_max) });
    if (response.status !== 200) {
      await response.body?.cancel();
      const retry_after = response.headers.get("retry-after");
      return { kind: "refused", status: response.status, retry_after };
    }
    const chunks: Uint8Array[] = [];
    let bytes_count = 0;
    for await (const chunk of response.body ?? []) {
      bytes_count += chunk.byteLength;
      if (bytes_count > bytes_max) {
        return { kind: "failed", reason: `the answer is larger than ${bytes_max} bytes` };
      }
      chunks.push(chunk);
    }
    return { kind: "text", text: Buffer.concat(chunks).toString("utf8") };
  } catch (error) {
    if (error instanceof Error && error.name === "TimeoutError") {
      return { kind: "failed", reason: `no answer within ${ms_max / 1_000} s` };
    }
    // Bun follows a refused connection with advice for people at a browser.
    const reason = reasonOf(error).replace(/\. Is the computer able.*$|\.$/, "");
    return { kind: "failed", reason };
  }
}
