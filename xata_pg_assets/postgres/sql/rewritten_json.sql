(
    -- jsonb as text: a string right before a colon is a key, any other is a value
    SELECT string_agg(CASE WHEN p.parts[1] LIKE '"%"' THEN coalesce({new_id}::text, p.parts[1]) ELSE p.parts[1] END, '' ORDER BY p.place)::jsonb
    FROM regexp_matches({json}::text, '"(?:[^"\\]|\\.)*":?|[^"]+', 'g') WITH ORDINALITY AS p (parts, place)
)
