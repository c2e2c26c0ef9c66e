/**
 * What a REST page was asked for, from the line that is kept beside it: method and URL.
 *
 * A page of trades does not always name its market; then the request is the only one that does.
 *
 * @module
 */

/** The URL of `GET https://…?symbol=BTCUSDT`; undefined where there is none to read. */
export function requestUrl(request: string): URL | undefined {
  const url = request.slice(request.indexOf(" ") + 1).trim();
  return URL.canParse(url) ? new URL(url) : undefined;
}
