SELECT t.id, m.old_id, o.xata_column, o.position, o.object, o.occurrence, o.item ->> 'name',
    CASE WHEN jsonb_typeof(o.item -> 'size') = 'number' THEN o.item -> 'size' END,
    o.item ->> {field}, f.n, f.key, f.sha256, f.size, f.destination, f.problem,
    ARRAY(SELECT g.n FROM {files} AS g WHERE g.xata_table = {xata_table} AND g.xata_column = o.xata_column
        AND g.old_id = m.old_id)
FROM {target} AS t
JOIN {mapping} AS m ON m.new_id = t.id
CROSS JOIN LATERAL ({objects}) AS o
LEFT JOIN {files} AS f ON f.xata_table = {xata_table} AND f.xata_column = o.xata_column AND f.old_id = m.old_id
    AND f.object = o.object AND f.occurrence = o.occurrence
ORDER BY t.id, o.column_number, o.position
