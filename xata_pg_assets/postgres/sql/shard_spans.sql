SELECT shard + 1, rows, first, last, lag(last) OVER (ORDER BY shard) >= first OR lead(first) OVER (ORDER BY shard) <= last
FROM (
    SELECT least(s.{ordinal} * {count} / {ordinals}, {count} - 1) AS shard, count(*) AS rows,
        min(s.ctid) AS first, max(s.ctid) AS last
    FROM {staging} AS s GROUP BY 1
) AS found
