INSERT INTO {mapping} (old_id, new_id)
SELECT s.id, used.up_to + row_number() OVER (ORDER BY s.id COLLATE "C")
FROM {staging} AS s
CROSS JOIN (SELECT greatest(0, (SELECT max(new_id) FROM {mapping}), {highest_used}) AS up_to) AS used
WHERE NOT EXISTS (SELECT FROM {mapping} AS m WHERE m.old_id = s.id)
