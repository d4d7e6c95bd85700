-- jsonb as text: a string right before a colon is a key, any other is a value
SELECT c.id, string_agg(coalesce(i.new_id::text, p.parts[1]), '' ORDER BY p.place)::jsonb AS value
FROM {staging} AS c
CROSS JOIN LATERAL regexp_matches({cell}::text, '"(?:[^"\\]|\\.)*":?|[^"]+', 'g') WITH ORDINALITY AS p (parts, place)
LEFT JOIN ({ids}) AS i ON i.old_id = CASE WHEN p.parts[1] LIKE '"%"' THEN p.parts[1]::jsonb #>> '{{}}' END
GROUP BY c.id
