UPDATE {loads} SET shards = jsonb_set(shards, ARRAY['seconds'], to_jsonb((shards ->> 'seconds')::double precision + {seconds}))
WHERE xata_table = {xata_table} AND NOT (shards ->> 'is_whole')::boolean
