coalesce((SELECT jsonb_build_object({field}, f.key) || o.item
    FROM {objects} AS o
    JOIN {files} AS f ON f.object = o.object AND f.occurrence = o.occurrence
    WHERE f.xata_table = {xata_table} AND f.xata_column = {xata_column} AND f.old_id = {old_id} AND f.key IS NOT NULL),
    {value})
