SELECT has_database_privilege(current_database(), 'CREATE') AND pg_has_role(n.nspowner, 'USAGE')
   AND NOT EXISTS (SELECT FROM pg_class AS t WHERE t.relnamespace = n.oid)
   AND NOT EXISTS (SELECT FROM pg_proc AS p WHERE p.pronamespace = n.oid)
FROM pg_namespace AS n WHERE n.nspname = {schema}
