SELECT r.id FROM {referrer} AS r
WHERE r.{link} IN ({gone_rows}) AND EXISTS (SELECT FROM {mapping} AS own WHERE own.new_id = r.id)
