SELECT d.old_id, d.xata_column, d.missing_id,
  CASE WHEN (p.xata_table, d.missing_id) IN (SELECT r.xata_table, r.old_id FROM {rejected} AS r WHERE r.old_id IS NOT NULL)
    THEN 'that row was rejected' ELSE 'not in the export' END AS why
FROM {dangling} AS d JOIN (VALUES {parents}) AS p (xata_column, xata_table) USING (xata_column)
WHERE d.xata_table = {table} ORDER BY d.old_id
