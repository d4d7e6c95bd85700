(SELECT d.*, (row_number() OVER (PARTITION BY d.object ORDER BY d.position))::integer AS occurrence
FROM (SELECT e.item, e.position,
    md5(jsonb_build_array(e.item -> 'id', e.item -> 'name', e.item -> 'size', e.item -> 'version')::text) AS object
    FROM ({items}) AS e) AS d)
