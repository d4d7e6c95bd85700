SELECT t.id, m.old_id, o.xata_column, o.position, o.object, o.occurrence, o.item ->> 'name',
    CASE WHEN jsonb_typeof(o.item -> 'size') = 'number' THEN o.item -> 'size' END, o.item ->> {field}
FROM {target} AS t
JOIN {mapping} AS m ON m.new_id = t.id
CROSS JOIN LATERAL ({objects}) AS o
ORDER BY t.id, o.column_number, o.position
