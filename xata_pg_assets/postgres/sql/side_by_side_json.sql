WITH RECURSIVE inside (side, path, value) AS (
    VALUES ('old', '{{}}'::text[], {staged}), ('new', '{{}}'::text[], {stored})
    UNION ALL
    SELECT i.side, i.path || e.step, e.value
    FROM inside AS i CROSS JOIN LATERAL (
        SELECT '.' || o.key, o.value FROM jsonb_each(CASE jsonb_typeof(i.value) WHEN 'object' THEN i.value END) AS o
        UNION ALL
        SELECT '#' || a.place, a.value
        FROM jsonb_array_elements(CASE jsonb_typeof(i.value) WHEN 'array' THEN i.value END) WITH ORDINALITY AS a (value, place)
    ) AS e (step, value)
), ends AS MATERIALIZED (
    SELECT side, path, value FROM inside
    WHERE value IS NOT NULL AND (jsonb_typeof(value) NOT IN ('object', 'array') OR value IN ('{{}}', '[]'))
)
SELECT o.value, n.value
FROM (SELECT path, value FROM ends WHERE side = 'old') AS o
FULL JOIN (SELECT path, value FROM ends WHERE side = 'new') AS n ON n.path = o.path
