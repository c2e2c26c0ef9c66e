-- Cutting a value out of the text of JSON: by its key, never through a number of JSON, which would
-- lose digits. Keys are constants, so that each expression is compiled once.
CREATE MACRO text_of(item, key) AS regexp_extract(item, '"' || key || '"\s*:\s*"([^"]*)"', 1);

CREATE MACRO number_of(item, key) AS
  regexp_extract(item, '"' || key || '"\s*:\s*([-+0-9.eE]+)', 1);

CREATE MACRO word_of(item, key) AS regexp_extract(item, '"' || key || '"\s*:\s*([a-z]+)', 1);

-- Objects that have a key of their own, and at most objects without further ones in them: an exchange
-- may add a field at any time.
CREATE MACRO objects_with(frame, key) AS
  regexp_extract_all(
    frame, '[{](?:[^{}]|[{][^{}]*[}])*"' || key || '"(?:[^{}]|[{][^{}]*[}])*[}]'
  );

-- Microseconds since 1970 from milliseconds or microseconds, from seconds with decimals, and from ISO
-- 8601. What is finer than a microsecond is cut.
CREATE MACRO us_of_epoch(digits) AS
  try_cast(digits AS BIGINT) * CASE WHEN length(digits) < 16 THEN 1000 ELSE 1 END;

CREATE MACRO us_of_seconds(digits) AS
  try_cast(split_part(digits, '.', 1) AS BIGINT) * 1000000
  + try_cast(rpad(left(split_part(digits, '.', 2), 6), 6, '0') AS BIGINT);

CREATE MACRO us_of_iso(iso) AS
  epoch_us(try_cast(regexp_replace(iso, '([.][0-9]{6})[0-9]+', '\1') AS TIMESTAMPTZ));

-- What the frames of each exchange tell: told/<exchange>.sql makes told.<exchange> of checked.frames,
-- and told.trades is all of them.
CREATE SCHEMA told;
