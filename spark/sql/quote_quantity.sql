-- price x quantity from the products of their whole and fractional parts; NULL where it is not
-- exact in DECIMAL(38,18). All types are written out: Spark compares decimals of different scales
-- in a type that may cut the very digits that differ.
CASE WHEN CAST(rests_cut AS DECIMAL(37,36)) = rests THEN
  try_add(
    try_add(
      try_cast(try_multiply(price_whole, quantity_whole) AS DECIMAL(38,18)),
      try_cast(rests_cut AS DECIMAL(38,18))),
    try_add(
      try_cast(try_multiply(price_whole, quantity_rest) AS DECIMAL(38,18)),
      try_cast(try_multiply(quantity_whole, price_rest) AS DECIMAL(38,18))))
END
