SELECT xata_table, file, line, old_id, xata_column, left(value, {length}) AS value, reason
FROM (
    SELECT r.*, row_number() OVER (
        PARTITION BY r.reason, r.xata_table, r.xata_column ORDER BY r.file, r.line, r.old_id
    ) AS number
    FROM {rejected_rows} AS r
    WHERE r.xata_table = ANY({tables})
) AS numbered
WHERE number <= {each}
ORDER BY reason, xata_table, xata_column, file, line, old_id
LIMIT {all}
