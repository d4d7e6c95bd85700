DECLARE
    mapping text;
    found bigint;
BEGIN
    SELECT l.mapping_table INTO mapping FROM {loads} AS l WHERE l.xata_table = new_id.xata_table;
    IF mapping IS NULL THEN
        RAISE EXCEPTION 'no table % was migrated from Xata', new_id.xata_table;
    END IF;
    EXECUTE pg_catalog.format('SELECT m.new_id FROM %I.%I AS m WHERE m.old_id = $1', {work_schema}, mapping)
        INTO found USING new_id.old_id;
    RETURN found;
END
