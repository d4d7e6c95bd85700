CASE
    WHEN {column} = trunc({column}) AND {column} >= -9223372036854775808 AND {column} < 9223372036854775808
        THEN {column}::bigint::text
    ELSE {column}::text
END
