SELECT xata_table, xata_column, old_id, missing_id, links
FROM (
    SELECT d.*, count(*) OVER (PARTITION BY d.xata_table, d.xata_column) AS links, row_number() OVER (
        PARTITION BY d.xata_table, d.xata_column ORDER BY d.old_id
    ) AS number
    FROM {dangling_links} AS d
    WHERE d.xata_table = ANY({tables})
) AS numbered
WHERE number <= {each}
ORDER BY xata_table, xata_column, old_id
LIMIT {all}
