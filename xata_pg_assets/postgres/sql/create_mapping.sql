CREATE TABLE {mapping} (old_id text COLLATE "C" NOT NULL, new_id bigint NOT NULL)
