FROM {staging} AS s
WHERE {link} IS NOT NULL AND NOT EXISTS (SELECT FROM {rows_there} AS p WHERE p.old_id = {link})
