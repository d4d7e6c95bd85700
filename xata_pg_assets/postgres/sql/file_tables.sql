CREATE TABLE IF NOT EXISTS {files} (
    xata_table text NOT NULL,
    xata_column text NOT NULL,
    old_id text COLLATE "C" NOT NULL,
    n integer NOT NULL,
    object text NOT NULL,
    occurrence integer NOT NULL,
    name text,
    size bigint,
    key text,
    sha256 text,
    saved_as text,
    destination text,
    problem text,
    copied_at timestamptz,
    PRIMARY KEY (xata_table, xata_column, old_id, n),
    UNIQUE (xata_table, xata_column, old_id, object, occurrence)
);
CREATE TABLE IF NOT EXISTS {file_loads} (
    xata_table text NOT NULL,
    xata_column text NOT NULL,
    destination text NOT NULL,
    files bigint NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    copied_files bigint NOT NULL DEFAULT 0,
    copied_bytes bigint NOT NULL DEFAULT 0,
    unclaimed bigint NOT NULL DEFAULT 0,
    copy_seconds double precision NOT NULL DEFAULT 0,
    copied_at timestamptz,
    files_present jsonb,
    check_seconds double precision NOT NULL DEFAULT 0,
    checked_at timestamptz,
    PRIMARY KEY (xata_table, xata_column)
);
COMMENT ON TABLE {files} IS 'Where the files of the export were copied to: one line a file object, its key written into the column; problem: why it was not';
COMMENT ON TABLE {file_loads} IS 'The ledger of the file columns: what the last copying of each did, and how its check ended';
