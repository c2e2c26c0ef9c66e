/**
 * One GET over REST, bounded in time and size. What an exchange or a network does to a request is
 * an operating error, so it comes back as a value that names it; nothing here throws or retries.
 *
 * @module
 */

import { reasonOf } from "../settings/exit.ts";

/** What became of a request. */
export type RestAnswer =
  | {
      readonly kind: "text";
      readonly text: string;
      /** The same, verbatim: what is no UTF-8 is lost in `text`. */
      readonly bytes: Uint8Array;
      readonly headers: Headers;
    }
  /**
   * Another status than 200. `retry_after` is the header verbatim; `text` the body, cut: some
   * exchanges say there what is wrong.
   */
  | {
      readonly kind: "refused";
      readonly status: number;
      readonly retry_after: string | null;
      readonly text: string;
      readonly headers: Headers;
    }
  /** No whole answer came; one clause without a full stop. */
  | { readonly kind: "failed"; readonly reason: string };

/** What a request carries, and what ends it early. */
export interface PageRequest {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Fetches one page. */
export type GetPage = (url: string, request?: PageRequest) => Promise<RestAnswer>;

const answer_ms_max = 10_000;
/** Far above any list or page; it bounds what a peer can make us hold. */
const answer_bytes_max = 64 * 2 ** 20;
/** An exchange's explanation is a line; a proxy's may be a whole page for people. */
const refusal_bytes_max = 16_384;

/** Fetches one page with the limits above. */
export async function getPage(url: string, request: PageRequest = {}): Promise<RestAnswer> {
  return await getPageWithin(url, {
    ...request,
    ms_max: answer_ms_max,
    bytes_max: answer_bytes_max,
  });
}

/** Fetches one page with given limits: milliseconds to the last byte, and bytes of the answer. */
export async function getPageWithin(
  url: string,
  options: PageRequest & { readonly ms_max: number; readonly bytes_max: number },
): Promise<RestAnswer> {
  const { ms_max, bytes_max, headers = {}, signal } = options;
  const signals = [AbortSignal.timeout(ms_max), ...(signal === undefined ? [] : [signal])];
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.any(signals) });
    if (response.status !== 200) return await refusalOf(response);
    const bytes = await readBody(response, bytes_max);
    if (bytes.byteLength > bytes_max) {
      return { kind: "failed", reason: `the answer is larger than ${bytes_max} bytes` };
    }
    return { kind: "text", text: bytes.toString("utf8"), bytes, headers: response.headers };
  } catch (error) {
    if (error instanceof Error && error.name === "TimeoutError") {
      return { kind: "failed", reason: `no answer within ${ms_max / 1_000} s` };
    }
    if (signal?.aborted === true) return { kind: "failed", reason: "given up on our side" };
    // Bun follows a refused connection with advice for people at a browser.
    const reason = reasonOf(error).replace(/\. Is the computer able.*$|\.$/, "");
    return { kind: "failed", reason };
  }
}

async function refusalOf(response: Response): Promise<RestAnswer> {
  const { headers, status } = response;
  // The status and Retry-After are what counts: a body that does not come costs only its words.
  const body = await readBody(response, refusal_bytes_max).catch(() => Buffer.alloc(0));
  const text = body.subarray(0, refusal_bytes_max).toString("utf8");
  return { kind: "refused", status, retry_after: headers.get("retry-after"), text, headers };
}

/** The body, or a little more than `bytes_max` of it; what follows is not read. */
async function readBody(response: Response, bytes_max: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes_count = 0;
  for await (const chunk of response.body ?? []) {
    bytes_count += chunk.byteLength;
    chunks.push(chunk);
    if (bytes_count > bytes_max) break;
  }
  return Buffer.concat(chunks);
}
