SELECT tgname FROM pg_trigger
WHERE tgrelid = to_regclass({table}) AND NOT tgisinternal AND tgenabled IN ('O', 'A')
