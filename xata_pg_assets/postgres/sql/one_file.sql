SELECT {value} AS item, 1 AS position WHERE jsonb_typeof({value}) = 'object'
