-- Each returns the value of a cell, NULL where it is none: PostgreSQL's own input functions take more than an export has
CREATE FUNCTION pg_temp.xata_id(cell text) RETURNS text LANGUAGE sql IMMUTABLE
AS 'SELECT CASE WHEN length(cell) <= 255 THEN cell END';

CREATE FUNCTION pg_temp.xata_bool(cell text) RETURNS boolean LANGUAGE sql IMMUTABLE
AS 'SELECT CASE WHEN lower(cell) IN (''true'', ''false'', ''t'', ''f'') THEN cell::boolean END';

CREATE FUNCTION pg_temp.xata_int(cell text) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN CASE WHEN cell ~ '^-?[0-9]+$' THEN cell::bigint END;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;

CREATE FUNCTION pg_temp.xata_float(cell text) RETURNS double precision LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN CASE WHEN cell ~ '^-?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$' THEN cell::double precision END;
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;

CREATE FUNCTION pg_temp.xata_datetime(cell text) RETURNS timestamptz LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    part CONSTANT text[] := regexp_match(cell,
        '^([0-9]{{4}})-([0-9]{{2}})-([0-9]{{2}})[Tt ]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(?:\.([0-9]{{1,6}})0*)?'
        '(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))?$');
    moment timestamp;
BEGIN
    IF part IS NULL THEN
        RETURN NULL;
    END IF;
    -- The year 0 of ISO 8601 is 1 BC
    moment := make_timestamp(CASE part[1] WHEN '0000' THEN -1 ELSE part[1]::int END, part[2]::int, part[3]::int,
        part[4]::int, part[5]::int, (part[6] || '.' || coalesce(part[7], '0'))::double precision);
    IF part[8] IS NOT NULL THEN
        moment := moment - make_interval(hours => (part[8] || part[9])::int, mins => (part[8] || part[10])::int);
    END IF;
    RETURN moment AT TIME ZONE 'UTC';
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END $$;

CREATE FUNCTION pg_temp.xata_json(cell text, opening text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    RETURN CASE WHEN opening = '' OR starts_with(ltrim(cell, E' \t\r\n'), opening) THEN cell::jsonb END;
EXCEPTION WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN
    RETURN NULL;
END $$;

CREATE FUNCTION pg_temp.xata_list(cell text, kind text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    list CONSTANT jsonb := pg_temp.xata_json(cell, '[');
BEGIN
    RETURN CASE WHEN NOT EXISTS (
        SELECT FROM jsonb_array_elements(list) AS item WHERE jsonb_typeof(item) <> kind
    ) THEN list END;
END $$;

CREATE FUNCTION pg_temp.xata_reason(cell text) RETURNS text LANGUAGE sql IMMUTABLE
AS 'SELECT CASE WHEN cell ~ ''\\u0000'' THEN ''nul_byte'' WHEN cell ~* ''\\ud[89a-f]'' THEN ''bad_encoding'' ELSE ''bad_value'' END';

-- A cell as it stands in CSV
CREATE FUNCTION pg_temp.xata_cell(cell text) RETURNS text LANGUAGE sql IMMUTABLE
AS 'SELECT CASE WHEN cell IS NULL THEN '''' WHEN cell = '''' OR cell ~ ''[",\r\n]'' THEN ''"'' || replace(cell, ''"'', ''""'') || ''"'' ELSE cell END'
