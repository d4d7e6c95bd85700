SELECT i.relname, m.amname, o.opcname, coalesce(a.attname, ''), coalesce(pg_get_expr(x.indexprs, x.indrelid), ''),
    coalesce(obj_description(i.oid, 'pg_class'), ''),
    (SELECT option_value::bigint FROM pg_options_to_table(i.reloptions) WHERE option_name = 'lists')
FROM pg_index AS x
JOIN pg_class AS t ON t.oid = x.indrelid
JOIN pg_class AS i ON i.oid = x.indexrelid
JOIN pg_namespace AS n ON n.oid = t.relnamespace
JOIN pg_am AS m ON m.oid = i.relam
JOIN pg_opclass AS o ON o.oid = x.indclass[0]
LEFT JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = x.indkey[0] AND a.attnum > 0
WHERE n.nspname = {schema} AND t.relname = {table} AND x.indisvalid AND x.indpred IS NULL AND x.indnatts = 1
ORDER BY i.relname
