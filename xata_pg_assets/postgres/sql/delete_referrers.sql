DELETE FROM {referrer} AS r
WHERE {link} IN ({gone_rows}) AND EXISTS (SELECT FROM {mapping} AS own WHERE own.new_id = r.id)
