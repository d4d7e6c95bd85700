SELECT bool_or(NOT EXISTS (SELECT FROM {mapping} AS own WHERE own.new_id = t.id))
FROM {source} JOIN {target} AS t ON t.{column} = {value} WHERE t.id <> m.new_id
