WITH ids AS MATERIALIZED (
    SELECT old_id, count(*) AS tables, min(new_id) AS new_id, min(xata_table) AS xata_table
    FROM ({mappings}) AS k (xata_table, old_id, new_id) GROUP BY old_id
)
SELECT c.id, c.old, c.new, CASE
        WHEN c.new IS DISTINCT FROM (CASE WHEN i.tables = 1 THEN {new_value} ELSE c.old END) THEN 'wrong'
        WHEN i.tables = 1 THEN 'rewritten'
        WHEN i.tables > 1 THEN 'ambiguous'
        WHEN c.old #>> '{{}}' ~ '^rec_[0-9a-v]{{20}}$' AND jsonb_typeof(c.old) = 'string' THEN 'none'
    END AS fate, i.xata_table
FROM (
    SELECT t.id, p.old, p.new
    FROM {staging} AS s JOIN {mapping} AS m ON m.old_id = s.id JOIN {target} AS t ON t.id = m.new_id
    CROSS JOIN LATERAL ({pairs}) AS p (old, new)
) AS c
LEFT JOIN ids AS i ON i.old_id = c.old #>> '{{}}' AND jsonb_typeof(c.old) = 'string'
