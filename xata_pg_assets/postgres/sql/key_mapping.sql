ALTER TABLE {mapping} ADD PRIMARY KEY (old_id), ADD UNIQUE (new_id);
COMMENT ON TABLE {mapping} IS {comment}
