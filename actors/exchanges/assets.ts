/**
 * Asset names that one exchange writes differently from all others.
 *
 * Kraken's REST names Bitcoin XBT and Dogecoin XDG, its WebSocket v2 names them BTC and DOGE; the
 * records use the names of the rest of the field. By table, not by cutting letters: XRP, XTZ and
 * ZEC begin with X and Z, too.
 *
 * @module
 */

const common_names: ReadonlyMap<string, string> = new Map([
  ["XBT", "BTC"],
  ["XDG", "DOGE"],
]);

/** The asset's name in the records: XBT is BTC, XDG is DOGE, any other is its own. */
export function commonAsset(asset: string): string {
  return common_names.get(asset) ?? asset;
}
