SELECT ARRAY(
        SELECT a.privilege_type::text FROM pg_class AS t, aclexplode(coalesce(t.relacl, acldefault('r', t.relowner))) AS a
        WHERE t.oid = to_regclass({table}) AND a.grantee = r.oid ORDER BY 1
    ), has_schema_privilege(r.oid, {schema}, 'USAGE')
FROM pg_roles AS r WHERE r.rolname = %(role)s
