SELECT to_jsonb({staged}), to_jsonb({stored})
