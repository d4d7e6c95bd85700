WITH found AS MATERIALIZED (
    SELECT t.id, matched[1] COLLATE "C" AS old_id
    FROM {target} AS t CROSS JOIN LATERAL regexp_matches({column}::text, '\mrec_[0-9a-v]{{20}}\M', 'g') AS matched
    WHERE {column}::text LIKE '%rec\_%'
), counted AS MATERIALIZED (
    SELECT old_id, count(*) AS times FROM found GROUP BY old_id
), resolved AS MATERIALIZED (
    SELECT m.xata_table, c.old_id, c.times
    FROM counted AS c JOIN ({mappings}) AS m (xata_table, old_id) ON m.old_id = c.old_id
)
SELECT (SELECT count(*) FROM found), (SELECT count(DISTINCT id) FROM found),
    (SELECT coalesce(sum(c.times), 0)::bigint FROM counted AS c WHERE NOT EXISTS (SELECT FROM resolved AS r WHERE r.old_id = c.old_id)),
    (SELECT coalesce(jsonb_object_agg(xata_table, times ORDER BY xata_table), '{{}}')
     FROM (SELECT xata_table, sum(times)::bigint AS times FROM resolved GROUP BY xata_table) AS s)
