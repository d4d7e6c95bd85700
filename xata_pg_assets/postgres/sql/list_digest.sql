SELECT count(*) || ':' || coalesce(bit_xor(hashtextextended(l::text, 0)), 0) FROM {list} AS l WHERE l.xata_table = {xata_table}
