SELECT c.id, jsonb_agg(coalesce(to_jsonb(i.new_id::text), e.item) ORDER BY e.place) AS value
FROM {staging} AS c
CROSS JOIN LATERAL jsonb_array_elements({cell}) WITH ORDINALITY AS e (item, place)
LEFT JOIN ({ids}) AS i ON i.old_id = e.item #>> '{{}}'
GROUP BY c.id
