"""Exports with files, saved as Xata's script saves them, and a store that speaks S3."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from xata_pg_assets.files.names import saved_name
from xata_pg_assets.postgres.checks import CheckResult
from xata_pg_assets.postgres.file_ledger import FileLoad
from xata_pg_assets.xata.schema import XataTable
from xata_pg_assets_tests.fix_export import METADATA, Export, NewExport, Result, column, table
from xata_pg_assets_tests.test_cli.conftest import fresh_home, xata_pg

__all__ = ["fresh_home", "xata_pg"]

USERS = table("Users", column("email"), column("avatar", "file"), column("galleryPics", "file[]"))
TIME = "2024-01-02T03:04:05.678Z"
_BUCKETS = count(1)
KEY, SECRET = "AKIDc4nary", "c4nary-s3cret-key"


def file(name: str, size: int | None, **facts: Any) -> dict[str, Any]:
    """Return a file object as Xata exports it."""
    there = {
        "name": name,
        "mediaType": "image/png",
        "size": size,
        "version": 1,
        "attributes": {"height": 1.5},
        "signedUrl": f"https://x.org/{name}?token=1",
    }
    return {**{key: value for key, value in there.items() if value is not None}, **facts}


@dataclass
class FileExport:
    """An export, the folder of its saved files, and where they go."""

    export: Export
    saved: Path
    to: str

    @property
    def folder(self) -> Path:
        return self.saved / "file-downloads" / "Users"

    def rows(self, *rows: Sequence[Any]) -> None:
        """Write the users: id, file object or None, list of file objects."""
        cells = [
            (old_id, "m", avatar and json.dumps(avatar), json.dumps(gallery), "0", TIME, TIME)
            for old_id, avatar, gallery in rows
        ]
        self.export.rows("Users", ["id", "email", "avatar", "galleryPics", *METADATA], cells)

    def save(self, old_id: str, name: str, data: bytes) -> Path:
        """Save a file as the script does."""
        path = self.folder / str(saved_name(name, old_id))
        path.write_bytes(data)
        return path

    def flags(self, **flags: Any) -> dict[str, Any]:
        return {"files": str(self.saved), "files_to": self.to, "files_threads": 3, **flags}

    def migrate(self, **flags: Any) -> FilesResult:
        """Do what the asset graph does: the table, then its files, then their checks."""
        result = self.export.migrate(**self.flags(**flags))
        migration = result.migration
        loads = {of.column.xata_name: migration.copy_files(of) for of in migration.file_columns}
        checks = {of.column.xata_name: migration.check_files(of) for of in migration.file_columns}
        return FilesResult(result, loads, checks)

    @property
    def copies(self) -> dict[str, bytes]:
        """What lies at a local destination, by key."""
        root = Path(self.to)
        return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    def cells(self, name: str) -> dict[str, Any]:
        """Return a column of the target by old id."""
        query = f"SELECT old_id, {name} FROM users JOIN xata_migration.users_id_mapping ON new_id = id"
        return dict(self.export.database.query(query))

    def lines(self, what: str) -> list[tuple[Any, ...]]:
        """Return what the ledger of files says."""
        query = f"SELECT {what} FROM xata_migration.files ORDER BY xata_column, old_id, n"
        return self.export.database.query(query)


@dataclass(frozen=True)
class FilesResult:
    """How the table, the copying and the checks ended."""

    table: Result
    loads: dict[str, FileLoad]
    checks: dict[str, CheckResult]

    @property
    def copied(self) -> int:
        return sum(line.copied_files for line in self.loads.values())

    @property
    def problems(self) -> dict[tuple[str, int], str]:
        """What the checks found, by old id and position."""
        return {(row["old_id"], row["position"]): row["problem"] for each in self.checks.values() for row in each.rows}


def new_files(new_export: NewExport, tmp_path: Path, users: XataTable = USERS) -> FileExport:
    saved = tmp_path / "saved"
    (saved / "file-downloads" / "Users").mkdir(parents=True)
    (tmp_path / "export").mkdir()
    export = new_export(users)
    export.folder = tmp_path / "export"
    return FileExport(export, saved, str(tmp_path / "copies"))


@pytest.fixture
def files(new_export: NewExport, tmp_path: Path) -> FileExport:
    return new_files(new_export, tmp_path)


@dataclass(frozen=True)
class Store:
    """A server that speaks S3, with an empty bucket; `client` is Amazon's own."""

    url: str
    client: Any
    bucket: str

    @property
    def options(self) -> dict[str, Any]:
        return {"endpoint_url": self.url, "key": KEY, "secret": SECRET}

    @property
    def objects(self) -> dict[str, bytes]:
        """Return every object of the bucket."""
        found = self.client.list_objects_v2(Bucket=self.bucket).get("Contents", ())
        return {
            each["Key"]: self.client.get_object(Bucket=self.bucket, Key=each["Key"])["Body"].read() for each in found
        }


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def store(s3_server: str) -> Store:
    import boto3

    client = boto3.client(
        "s3",
        endpoint_url=s3_server,
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
    )
    bucket = f"bucket-{next(_BUCKETS)}"
    client.create_bucket(Bucket=bucket)
    return Store(s3_server, client, bucket)
