UPDATE {staging} SET "xata.createdAt" = to_timestamp((
    SELECT sum((strpos('0123456789abcdefghijklmnopqrstuv', substr(id, 5 + place, 1)) - 1)::bigint
               << (30 - 5 * place))::bigint >> 3
    FROM generate_series(0, 6) AS place)::double precision)
WHERE "xata.createdAt" IS NULL AND id ~ '^rec_[0-9a-v]{{20}}$'
