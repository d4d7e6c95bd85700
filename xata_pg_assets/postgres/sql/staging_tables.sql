SELECT t.relname
FROM pg_class AS t JOIN pg_namespace AS n ON n.oid = t.relnamespace
WHERE n.nspname = {schema} AND t.relkind = 'r' AND t.relpersistence = 'u'
  AND obj_description(t.oid, 'pg_class') LIKE {comment}
