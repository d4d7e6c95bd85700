CREATE FUNCTION pg_temp.xata_vector(cell text) RETURNS {vector} LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    list {vector};
BEGIN
    IF starts_with(ltrim(cell, E' \t\r\n'), '[') AND cell::json IS NOT NULL THEN
        list := cell::{vector};
    END IF;
    -- What is too small for a float4 becomes 0 there without an error
    IF cell ~ '[eE]-0*[1-9][0-9]|0{{30}}' THEN
        PERFORM count(item::float4) FROM json_array_elements_text(cell::json) AS item;
    END IF;
    RETURN list;
EXCEPTION WHEN data_exception OR program_limit_exceeded OR statement_too_complex THEN
    RETURN NULL;
END $$;

CREATE FUNCTION pg_temp.xata_vector_of(cell text, dimension int) RETURNS {vector} LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    list CONSTANT {vector} := pg_temp.xata_vector(cell);
BEGIN
    RETURN CASE WHEN {dims}(list) = dimension THEN list END;
END $$
