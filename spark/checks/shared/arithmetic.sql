-- Exact arithmetic. A product of two DECIMAL(38,18) overflows, `/` gives a binary float, and a sum of
-- large DECIMAL(38,18) may wrap in silence. A number is therefore taken apart into its whole and its
-- fraction, counted in units of 10^-18; every product of two such parts fits into 128 bits where the
-- number that it belongs to fits into DECIMAL(38,18).
CREATE MACRO whole(x) AS trunc(x)::HUGEINT;

CREATE MACRO fraction(x) AS
  ((x % 1)::DECIMAL(18, 18) * 1000000000000000000::DECIMAL(19, 0))::HUGEINT;

CREATE MACRO unit() AS 1000000000000000000::HUGEINT;

CREATE MACRO units(x) AS whole(x) * unit() + fraction(x);

-- The number that a text says, exactly; NULL where DECIMAL(38,18) cannot hold it. Of nearly all texts 64
-- bits hold every digit, which DuckDB reads fifty times faster.
CREATE MACRO decimal_of(digits) AS
  CASE WHEN regexp_full_match(digits, '[0-9]{1,10}(?:[.][0-9]{1,8})?')
    THEN try_cast(digits AS DECIMAL(18, 8))
    ELSE try_cast(digits AS DECIMAL(38, 18)) END;

-- Two parts of a number that is not negative, whose sums over ten billion rows wrap nowhere. Nearly
-- all numbers are small, and are not divided.
CREATE MACRO large_part(x) AS CASE WHEN x < 10000000000 THEN 0 ELSE trunc(x) END;

CREATE MACRO small_part(x) AS CASE WHEN x < 10000000000 THEN x ELSE x % 1 END;

-- A sum, from the sums of both parts; NULL where 38 digits cannot hold it.
CREATE MACRO joined_sum(large, small) AS
  try_cast(large + trunc(small) AS DECIMAL(38, 18)) + small % 1;

-- x, where it is within a billion and has eight decimals at most; else another number or NULL. A
-- division of 128 bits takes DuckDB half a microsecond, and its cast to DOUBLE makes one; its average
-- makes none.
CREATE MACRO eight(x) AS
  CASE WHEN x BETWEEN -1000000000 AND 1000000000
    THEN round(list_avg([x]) * 100000000)::BIGINT::DECIMAL(18, 0) * 0.00000001::DECIMAL(8, 8) END;

-- The same question as the next one, which only a yes answers: one multiplication for nearly all
-- numbers of a market. The list is there to compute both numbers once.
CREATE MACRO is_small_product(x, p, q) AS
  coalesce(
    list_transform(
      [{p: eight(p), q: eight(q)}],
      lambda small: small.p = p AND small.q = q AND small.p::DECIMAL(19, 8) * small.q = x
    )[1],
    false
  );

-- Whether x is p x q, exactly. With whole parts P, Q and fractions f, g, x - PQ - Pg - fQ must be fg.
-- Of these only fg has more than 18 decimals; and where x fits, all of them do.
CREATE MACRO is_product(x, p, q) AS
  CASE
    WHEN is_small_product(x, p, q) THEN true
    ELSE coalesce(
      TRY(
        (
          x - trunc(p) * trunc(q) - trunc(p) * (q % 1)::DECIMAL(18, 18)
          - (p % 1)::DECIMAL(18, 18) * trunc(q)
        )::DECIMAL(18, 18) = (p % 1)::DECIMAL(18, 18) * (q % 1)::DECIMAL(18, 18)
      ),
      false
    )
  END;

-- a - x b in units of 10^-36; NULL where that overflows, because x is far from a / b.
CREATE MACRO quotient_rest(x, a, b) AS
  TRY(
    (units(a) - whole(x) * whole(b) * unit() - whole(x) * fraction(b) - fraction(x) * whole(b))
    * unit() - fraction(x) * fraction(b)
  );

-- Whether x is a / b rounded half up to 18 decimals: -b <= 2 (a - x b) < b, in units of 10^-36. What
-- overflows stands alone in its TRY: of an expression that holds it twice, DuckDB computes it outside.
CREATE MACRO is_quotient(x, a, b) AS
  coalesce(quotient_rest(x, a, b) BETWEEN -(units(b) // 2) AND (units(b) - 1) // 2, false);
