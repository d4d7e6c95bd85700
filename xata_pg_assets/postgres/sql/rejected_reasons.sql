SELECT xata_table, xata_column, reason, count(*)
FROM {rejected_rows}
WHERE xata_table = ANY({tables})
GROUP BY xata_table, xata_column, reason
ORDER BY reason, xata_table, xata_column
