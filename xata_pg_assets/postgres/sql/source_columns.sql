WITH RECURSIVE bases (type, base) AS (
    SELECT oid, oid FROM pg_type WHERE typtype <> 'd'
    UNION ALL
    SELECT d.oid, b.base FROM pg_type AS d JOIN bases AS b ON b.type = d.typbasetype WHERE d.typtype = 'd'
)
SELECT c.relname, c.relkind::text, has_table_privilege(c.oid, 'SELECT'), pg_table_size(c.oid),
    a.attname, format_type(t.oid, NULL), t.typcategory::text
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN bases AS b ON b.type = a.atttypid
LEFT JOIN pg_type AS t ON t.oid = b.base
WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
ORDER BY c.relname COLLATE "C", a.attnum
