DELETE FROM {staging} WHERE ctid IN (
    SELECT place FROM (
        SELECT s.ctid AS place, row_number() OVER (PARTITION BY s.id, ROW({row})::text ORDER BY s."xata.ordinal") AS number
        FROM {staging} AS s
        WHERE s.id IN (SELECT id FROM {staging} GROUP BY id HAVING count(*) > 1)
    ) AS numbered
    WHERE number > 1
)
