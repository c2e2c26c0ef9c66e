-- Whole partitions go by a change of metadata; a file that holds other rows too is written anew.
DELETE FROM $table
WHERE $expired
