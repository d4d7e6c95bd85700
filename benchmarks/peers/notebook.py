"""The notebook that people write: read_csv, a dict of new ids, to_sql, keys in the end.

python notebook.py FOLDER POSTGRESQL_URL
"""

import json
import sys
from pathlib import Path

import pandas as pd
from sqlalchemy import create_engine, text
from sqlalchemy.types import ARRAY, BigInteger, DateTime, Text

folder, url = Path(sys.argv[1]), sys.argv[2]
engine = create_engine(url)
tables = json.loads((folder / "schema.json").read_text())["tables"]
frames = {table["name"]: pd.read_csv(folder / f"{table['name']}.csv") for table in tables}

# New ids by old id
ids = {name: {old: new for new, old in enumerate(sorted(frame["id"]), 1)} for name, frame in frames.items()}

for table in tables:
    name, frame, types = table["name"], frames[table["name"]], {}
    frame["id"] = frame["id"].map(ids[name])
    for column in table["columns"]:
        key = column["name"]
        if column["type"] == "link":
            frame[key] = frame[key].map(ids[column["link"]["table"]]).astype("Int64")
            frame = frame.rename(columns={key: f"{key}_id"})
            types[f"{key}_id"] = BigInteger()
        elif column["type"] == "multiple":
            frame[key] = frame[key].map(json.loads, na_action="ignore")
            types[key] = ARRAY(Text())
        elif column["type"] == "datetime":
            frame[key] = pd.to_datetime(frame[key])
            types[key] = DateTime(timezone=True)
    frame = frame.rename(
        columns={f"xata.{key}": f"xata_{key.lower()}" for key in ("createdAt", "updatedAt", "version")}
    )
    for key in ("xata_createdat", "xata_updatedat"):
        frame[key] = pd.to_datetime(frame[key])
    frame.to_sql(name, engine, index=False, if_exists="replace", chunksize=10_000, dtype=types)

with engine.begin() as conn:
    for table in tables:
        conn.execute(text(f'ALTER TABLE "{table["name"]}" ADD PRIMARY KEY (id)'))
    for table in tables:
        name = table["name"]
        for column in table["columns"]:
            key = column["name"]
            if column["type"] == "link":
                parent = column["link"]["table"]
                conn.execute(text(f'ALTER TABLE "{name}" ADD FOREIGN KEY ("{key}_id") REFERENCES "{parent}" (id)'))
                conn.execute(text(f'CREATE INDEX ON "{name}" ("{key}_id")'))
            elif column["type"] == "vector":
                dimension = column["vector"]["dimension"]
                conn.execute(text(f'ALTER TABLE "{name}" ALTER "{key}" TYPE vector({dimension}) USING "{key}"::vector'))
            elif column.get("unique"):
                conn.execute(text(f'ALTER TABLE "{name}" ADD UNIQUE ("{key}")'))
