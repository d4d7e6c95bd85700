CASE
    WHEN {column} >= '0001-01-01 00:00:00+00' AND {column} < '10000-01-01 00:00:00+00'
        THEN to_char({column}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
    WHEN {column} >= '0001-01-01 00:00:00+00 BC' AND {column} < '0001-01-01 00:00:00+00'
        THEN to_char({column}, '"0000-"MM-DD"T"HH24:MI:SS.US"Z"')
    WHEN {column} >= '10000-01-01 00:00:00+00' AND {column} < '10000-01-01 23:59:00+00'
        THEN to_char({column} - interval '23:59', 'YYYY-MM-DD"T"HH24:MI:SS.US"-23:59"')
    WHEN {column} >= '0002-12-31 00:01:00+00 BC' AND {column} < '0001-01-01 00:00:00+00 BC'
        THEN to_char({column} + interval '23:59', '"0000-"MM-DD"T"HH24:MI:SS.US"+23:59"')
    ELSE {column}::text
END
