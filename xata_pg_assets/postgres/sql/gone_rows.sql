SELECT t.id FROM {target} AS t JOIN {mapping} AS m ON m.new_id = t.id
WHERE NOT EXISTS (SELECT FROM {staging} AS s WHERE s.id = m.old_id)
