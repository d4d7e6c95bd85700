SELECT s.id AS old_id, m.new_id AS id, 'only in the export' AS what
FROM {staging} AS s LEFT JOIN {mapping} AS m ON m.old_id = s.id
WHERE NOT EXISTS (SELECT FROM {target} AS t WHERE t.id = m.new_id)
UNION ALL
SELECT m.old_id, m.new_id, 'only in the table'
FROM {mapping} AS m JOIN {target} AS t ON t.id = m.new_id
WHERE NOT EXISTS (SELECT FROM {staging} AS s WHERE s.id = m.old_id)
