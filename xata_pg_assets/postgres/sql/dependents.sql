WITH ours AS (
    SELECT oid FROM unnest({relations}::oid[]) AS oid
    UNION
    SELECT s.objid FROM pg_depend AS s
    WHERE s.classid = 'pg_class'::regclass AND s.refclassid = 'pg_class'::regclass
      AND s.refobjid = ANY({relations}::oid[]) AND s.deptype IN ('i', 'a')
)
SELECT DISTINCT CASE
    WHEN r.oid IS NOT NULL THEN pg_describe_object('pg_class'::regclass, r.ev_class, 0)
    ELSE pg_describe_object(d.classid, d.objid, d.objsubid)
END
FROM pg_depend AS d
LEFT JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
LEFT JOIN pg_constraint AS c ON d.classid = 'pg_constraint'::regclass AND c.oid = d.objid
LEFT JOIN pg_trigger AS t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
LEFT JOIN pg_attrdef AS a ON d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid
WHERE d.deptype = 'n'
  AND (d.refclassid = 'pg_class'::regclass AND d.refobjid IN (SELECT oid FROM ours)
    OR d.refclassid = 'pg_proc'::regclass AND d.refobjid = ANY({routines}::oid[]))
  AND coalesce(r.ev_class, c.conrelid, a.adrelid, t.tgrelid, d.objid) NOT IN (SELECT oid FROM ours)
ORDER BY 1
