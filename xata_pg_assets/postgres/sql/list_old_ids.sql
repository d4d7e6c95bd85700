-- In the order of the new ids where these are 1…n, each once, else none. An id longer than a name (63 bytes) is cut,
-- and equal to no id: who finds a difference looks closer.
SELECT CASE
    WHEN min(new_id) = 1 AND max(new_id) = count(*) AND count(DISTINCT new_id) = count(*)
    THEN array_agg(old_id::name ORDER BY new_id)
END
FROM {mapping}
