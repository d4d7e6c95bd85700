CREATE TABLE {mapping} AS
SELECT s.id COLLATE "C" AS old_id,
    greatest(0, {highest_used}) + row_number() OVER (ORDER BY s.id COLLATE "C") AS new_id
FROM {staging} AS s
