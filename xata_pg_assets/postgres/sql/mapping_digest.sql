SELECT count(*), bit_xor(hashtextextended(old_id, new_id)) FROM {mapping}
