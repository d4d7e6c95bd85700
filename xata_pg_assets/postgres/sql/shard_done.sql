UPDATE {loads} SET shards = jsonb_set(shards, ARRAY['done', {shard}], {facts})
WHERE xata_table = {xata_table}
