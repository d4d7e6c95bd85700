ALTER TABLE {mapping} ADD PRIMARY KEY (old_id), ADD UNIQUE (new_id), ALTER COLUMN new_id SET NOT NULL;
COMMENT ON TABLE {mapping} IS {comment}
