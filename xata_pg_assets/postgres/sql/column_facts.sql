SELECT a.attname, a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attidentity::text,
    format_type(a.atttypid, a.atttypmod)
FROM pg_attribute AS a
JOIN pg_class AS t ON t.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = t.relnamespace
LEFT JOIN pg_attrdef AS d ON d.adrelid = t.oid AND d.adnum = a.attnum
WHERE n.nspname = {schema} AND t.relname = {table} AND a.attnum > 0 AND NOT a.attisdropped
