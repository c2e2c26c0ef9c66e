-- Whether a record could be read as a batch of frames: from_avro gives NULL, or NULL in every
-- field, for one that it cannot read. Readers of the lake know no year after 9999.
(record.frames IS NOT NULL
  AND forall(record.frames, f -> unix_micros(f.received_us) BETWEEN 0 AND 253402300799999999))
