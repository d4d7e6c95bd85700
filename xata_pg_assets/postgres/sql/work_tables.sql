CREATE TABLE IF NOT EXISTS {rejected_rows} (
    xata_table text NOT NULL,
    file text,
    line bigint,
    old_id text,
    xata_column text,
    value text,
    reason text NOT NULL,
    raw text
);

CREATE TABLE IF NOT EXISTS {dangling_links} (
    xata_table text NOT NULL,
    old_id text NOT NULL,
    xata_column text NOT NULL,
    missing_id text NOT NULL
);

CREATE TABLE IF NOT EXISTS {loads} (
    xata_table text PRIMARY KEY,
    target_table text NOT NULL,
    mapping_table text NOT NULL,
    source text,
    file text,
    dialect text,
    sha256 text,
    fingerprint text,
    staged_rows bigint,
    source_rows bigint NOT NULL DEFAULT 0,
    duplicate_rows bigint NOT NULL DEFAULT 0,
    rejected_rows bigint NOT NULL DEFAULT 0,
    staging_warnings jsonb NOT NULL DEFAULT '[]',
    staging_seconds double precision NOT NULL DEFAULT 0,
    staged_at timestamptz,
    mapped_rows bigint,
    mapping_seconds double precision NOT NULL DEFAULT 0,
    mapped_at timestamptz,
    target_rows bigint,
    inserted_rows bigint,
    updated_rows bigint,
    deleted_rows bigint,
    dangling_links bigint NOT NULL DEFAULT 0,
    load_seconds double precision NOT NULL DEFAULT 0,
    loaded_at timestamptz,
    checks jsonb NOT NULL DEFAULT '{{}}',
    check_seconds double precision NOT NULL DEFAULT 0,
    checked_at timestamptz
);
ALTER TABLE {loads}
    ADD COLUMN IF NOT EXISTS mapping_digest bigint,
    ADD COLUMN IF NOT EXISTS rejected_digest text,
    ADD COLUMN IF NOT EXISTS dangling_digest text,
    ADD COLUMN IF NOT EXISTS shards jsonb;
COMMENT ON TABLE {rejected_rows} IS 'Rows of the export that the last load of each table left out, one line a fault';
COMMENT ON TABLE {dangling_links} IS 'Links to rows that are not there, set to NULL by the last load of each table';
COMMENT ON TABLE {loads} IS 'The ledger: what the last load of each table did, and how its checks ended';
