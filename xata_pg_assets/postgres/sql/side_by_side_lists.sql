SELECT o.item, to_jsonb(n.item)
FROM jsonb_array_elements({staged}) WITH ORDINALITY AS o (item, place)
FULL JOIN unnest({stored}) WITH ORDINALITY AS n (item, place) ON n.place = o.place
