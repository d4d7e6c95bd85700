SELECT t.relname
FROM pg_class AS t JOIN pg_namespace AS n ON n.oid = t.relnamespace
CROSS JOIN obj_description(t.oid, 'pg_class') AS d (comment)
WHERE n.nspname = {schema} AND t.relkind = 'r'
  AND (t.relpersistence = 'u' AND d.comment LIKE {staged} OR t.relpersistence = 'p' AND d.comment LIKE {building})
