coalesce((
    SELECT jsonb_agg(coalesce(to_jsonb({new_id}::text), i.item) ORDER BY i.place)
    FROM jsonb_array_elements({list}) WITH ORDINALITY AS i (item, place)
), {list})
