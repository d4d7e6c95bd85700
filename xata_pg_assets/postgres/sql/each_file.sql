SELECT i.item, i.position::integer AS position
FROM jsonb_array_elements(CASE WHEN jsonb_typeof({value}) = 'array' THEN {value} END) WITH ORDINALITY AS i (item, position)
WHERE jsonb_typeof(i.item) = 'object'
