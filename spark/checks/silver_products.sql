-- name: silver_products
-- severity: error
-- rows: checked.silver_trades
-- wrong: quote_quantity of a Silver row is not price x quantity, exactly.
-- remedy: Rebuild Silver and Gold from Bronze, and report how the row came to be.
SELECT message_id, topic, partition, "offset", price, quantity, quote_quantity
FROM checked.silver_trades
WHERE NOT is_product(quote_quantity, price, quantity)
