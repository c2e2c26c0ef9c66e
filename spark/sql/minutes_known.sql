-- What is known of the minutes that the batch touches, as minutes.sql has left it.
UNION ALL
SELECT exchange, native_symbol, minute, first, last, high, low, volume, quote_volume, trade_count
FROM $view
WHERE $touched_minutes
