SELECT c.contype::text, a.attname, coalesce(r.relname, ''), coalesce(nullif(c.confdeltype::text, ' '), ''), c.conname
FROM pg_constraint AS c
JOIN pg_class AS t ON t.oid = c.conrelid
JOIN pg_namespace AS n ON n.oid = t.relnamespace
JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = c.conkey[1]
LEFT JOIN pg_class AS r ON r.oid = c.confrelid
LEFT JOIN pg_index AS x ON x.indexrelid = c.conindid
WHERE n.nspname = {schema} AND t.relname = {table} AND c.contype IN ('p', 'u', 'f')
  AND cardinality(c.conkey) = 1 AND c.convalidated AND coalesce(x.indisvalid, true)
  AND (r.oid IS NULL OR r.relnamespace = n.oid)
UNION
SELECT 'i', a.attname, '', '', i.relname
FROM pg_index AS x
JOIN pg_class AS t ON t.oid = x.indrelid
JOIN pg_class AS i ON i.oid = x.indexrelid
JOIN pg_am AS m ON m.oid = i.relam
JOIN pg_namespace AS n ON n.oid = t.relnamespace
JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = x.indkey[0]
WHERE n.nspname = {schema} AND t.relname = {table} AND m.amname = 'btree' AND x.indisvalid AND x.indpred IS NULL
