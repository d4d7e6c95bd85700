CASE
    WHEN {column} >= '0001-01-01 00:00:00' AND {column} < '10000-01-01 00:00:00'
        THEN to_char({column}, 'YYYY-MM-DD"T"HH24:MI:SS.US')
    WHEN {column} >= '0001-01-01 00:00:00 BC' AND {column} < '0001-01-01 00:00:00'
        THEN to_char({column}, '"0000-"MM-DD"T"HH24:MI:SS.US')
    ELSE {column}::text
END
