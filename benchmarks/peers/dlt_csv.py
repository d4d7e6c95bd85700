"""dlt: CSV files into tables of their names, replaced as a whole.

python dlt_csv.py FOLDER POSTGRESQL_URL
"""

import json
import sys
from pathlib import Path

import dlt
from dlt.sources.filesystem import filesystem, read_csv

folder, url = Path(sys.argv[1]), sys.argv[2]
tables = json.loads((folder / "schema.json").read_text())["tables"]
pipeline = dlt.pipeline("benchmark", destination=dlt.destinations.postgres(url), dataset_name="public")
resources = [
    (filesystem(folder.as_uri(), file_glob=f"{table['name']}.csv") | read_csv()).with_name(table["name"])
    for table in tables
]
pipeline.run(resources, write_disposition="replace", primary_key="id")
