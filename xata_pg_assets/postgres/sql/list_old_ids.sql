-- In the order of the new ids where these are 1…n, each once; none where they are not, or where a name (63 bytes) would
-- hold only a part of an id: who finds a difference looks closer
SELECT CASE
    WHEN min(new_id) = 1 AND max(new_id) = count(*) AND count(DISTINCT new_id) = count(*)
        AND max(octet_length(old_id)) <= 63
    THEN array_agg(old_id::name ORDER BY new_id)
END
FROM {mapping}
