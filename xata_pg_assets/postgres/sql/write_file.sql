INSERT INTO {files} AS f (xata_table, xata_column, old_id, n, object, occurrence, name, size, key, sha256, saved_as,
    destination, problem, copied_at)
VALUES {lines}
ON CONFLICT (xata_table, xata_column, old_id, object, occurrence) DO UPDATE SET
    name = EXCLUDED.name, size = CASE WHEN EXCLUDED.key IS NULL AND f.key IS NOT NULL THEN f.size ELSE EXCLUDED.size END,
    key = coalesce(EXCLUDED.key, f.key),
    sha256 = coalesce(EXCLUDED.sha256, f.sha256), saved_as = coalesce(EXCLUDED.saved_as, f.saved_as),
    destination = coalesce(EXCLUDED.destination, f.destination), problem = EXCLUDED.problem,
    copied_at = coalesce(EXCLUDED.copied_at, f.copied_at)
