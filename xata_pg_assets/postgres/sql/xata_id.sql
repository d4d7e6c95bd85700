-- 4 bytes of seconds, 3 of the database, 2 of the process, 3 that count: 96 bits as 20 characters of 5
WITH parts (bits) AS (
    SELECT floor(extract(epoch FROM clock_timestamp()))::bigint::bit(32)
        || ('x' || left(md5(current_database() || coalesce(inet_server_port()::text, '')), 6))::bit(24)
        || pg_backend_pid()::bit(16) || nextval({counter})::bit(24) || B'0000'
)
SELECT 'rec_' || string_agg(
    substr('0123456789abcdefghijklmnopqrstuv', substring(bits FROM 5 * place + 1 FOR 5)::bit(5)::int + 1, 1), '' ORDER BY place
)
FROM parts CROSS JOIN generate_series(0, 19) AS place
