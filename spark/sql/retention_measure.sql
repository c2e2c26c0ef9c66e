-- Rows that are old enough to go, and how many of them somebody has not consumed yet.
SELECT count(*) AS rows, count_if($waiting) AS waiting
FROM $table
WHERE $expired
