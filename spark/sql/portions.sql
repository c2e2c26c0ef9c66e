-- Where the portions end in which a hole is taken from Bronze: the records that are there, cut at
-- every multiple of $size offsets. Offsets that Bronze does not have cost nothing.
SELECT topic, partition, max(offset) + 1 AS end_offset
FROM $table
WHERE $hole
GROUP BY topic, partition, offset DIV $size
ORDER BY topic, partition, end_offset
LIMIT $count_max
