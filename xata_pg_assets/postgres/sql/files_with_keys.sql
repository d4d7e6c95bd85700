CASE WHEN jsonb_typeof({value}) = 'array' AND EXISTS (SELECT FROM {files} AS f
    WHERE f.xata_table = {xata_table} AND f.xata_column = {xata_column} AND f.old_id = {old_id} AND f.key IS NOT NULL)
THEN (SELECT coalesce(jsonb_agg(
        CASE WHEN f.key IS NULL THEN i.item ELSE jsonb_build_object({field}, f.key) || i.item END ORDER BY i.position),
        '[]'::jsonb)
    FROM jsonb_array_elements({value}) WITH ORDINALITY AS i (item, position)
    LEFT JOIN {objects} AS o ON o.position = i.position
    LEFT JOIN {files} AS f ON f.xata_table = {xata_table} AND f.xata_column = {xata_column} AND f.old_id = {old_id}
        AND f.object = o.object AND f.occurrence = o.occurrence AND f.key IS NOT NULL)
ELSE {value} END
