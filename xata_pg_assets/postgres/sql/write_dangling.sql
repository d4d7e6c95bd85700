WITH lost (xata_table, old_id, xata_column, missing_id) AS MATERIALIZED ({lost}),
gone AS (
    DELETE FROM {list} AS d
    WHERE d.xata_table = {xata_table} AND NOT EXISTS (
        SELECT FROM lost AS l
        WHERE l.old_id = d.old_id AND l.xata_column = d.xata_column AND l.missing_id = d.missing_id
    )
),
added AS (
    INSERT INTO {list} (xata_table, old_id, xata_column, missing_id)
    SELECT l.xata_table, l.old_id, l.xata_column, l.missing_id FROM lost AS l
    WHERE NOT EXISTS (
        SELECT FROM {list} AS d
        WHERE d.xata_table = l.xata_table AND l.old_id = d.old_id AND l.xata_column = d.xata_column
          AND l.missing_id = d.missing_id
    )
)
SELECT count(*) FROM lost
