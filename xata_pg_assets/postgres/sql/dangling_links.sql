INSERT INTO {dangling_links} (xata_table, old_id, xata_column, missing_id)
SELECT {xata_table}, s.id, {xata_column}, {link}
FROM {staging} AS s
WHERE {link} IS NOT NULL AND NOT EXISTS (SELECT FROM {rows_there} AS p WHERE p.old_id = {link})
