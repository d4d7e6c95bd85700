SELECT a.attname, a.attgenerated::text, coalesce(pg_get_expr(d.adbin, d.adrelid), ''),
    coalesce(col_description(t.oid, a.attnum), '')
FROM pg_attribute AS a
JOIN pg_class AS t ON t.oid = a.attrelid
JOIN pg_namespace AS n ON n.oid = t.relnamespace
LEFT JOIN pg_attrdef AS d ON d.adrelid = t.oid AND d.adnum = a.attnum
WHERE n.nspname = {schema} AND t.relname = {table} AND a.attnum > 0 AND NOT a.attisdropped
