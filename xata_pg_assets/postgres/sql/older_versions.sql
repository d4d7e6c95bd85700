SELECT place, ordinal, id, 'id', id, 'duplicate_id'
FROM (
    SELECT s.ctid AS place, s."xata.ordinal" AS ordinal, s.id, row_number() OVER (
        PARTITION BY s.id
        ORDER BY s."xata.version" DESC NULLS LAST, s."xata.updatedAt" DESC NULLS LAST, s."xata.ordinal" DESC
    ) AS number
    FROM {staging} AS s
    WHERE s.id IN (SELECT id FROM {staging} GROUP BY id HAVING count(*) > 1)
) AS numbered
WHERE number > 1
