"""The two ends of the graph: the export that is looked at first, and the report on the whole migration."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.storage.tags import PRIORITY_TAG

from xata_pg_assets.assets.budgets import judge_budgets_again
from xata_pg_assets.assets.factories import asset
from xata_pg_assets.assets.shown import table_of
from xata_pg_assets.assets.specs import REPORT_KEY, XataTranslator
from xata_pg_assets.assets.step import step
from xata_pg_assets.errors import ExitCode, UsageError, counted
from xata_pg_assets.files.columns import FileColumn
from xata_pg_assets.migration import Migration
from xata_pg_assets.postgres import ledger
from xata_pg_assets.report.pace import describe_seconds
from xata_pg_assets.report.result import Report, build_report, run_only
from xata_pg_assets.report.time_plot import INLINE, time_plot
from xata_pg_assets.report.verdict import what_is_in

__all__ = ["ERRORS_TAG", "REPORT_CHECK", "PageWriter", "make_export_asset", "make_report_asset"]

PageWriter = Callable[[Migration, Report, Path], None]  # writes a page about the report to the path

REPORT_CHECK = "everything_in_and_checked"
_UNBROKEN = "\N{NO-BREAK SPACE}"  # a line of the page for each table
ERRORS_TAG = "xata_pg_assets/errors"  # of a run: what stopped the run before it, a line each

_VERDICTS = {
    ExitCode.CHECK_FAILED: "Done, but a check failed.",
    ExitCode.NOT_FINISHED: "Not finished: what is made stays, materializing again continues.",
}


def make_export_asset(translator: XataTranslator) -> dg.AssetsDefinition:
    """The export: looked at, and told if there is no reading it or nothing to write it to."""

    @asset(translator.get_export_spec(), "xata_export", {PRIORITY_TAG: "1"})
    def xata_export(
        context: dg.AssetExecutionContext, migration: dg.ResourceParam[Migration]
    ) -> dg.MaterializeResult[None]:
        with step(context, migration, reads_export=True):
            sizes, warnings = migration.sizes(), migration.warnings
            _ = migration.layout  # a target that is not there is told here, once
        for warning in warnings:
            context.log.warning(warning)
        rows = [
            {"Xata table": table.xata_name, "file": file, "bytes": size}
            for table in migration.plan.tables
            for file, size in [sizes.get(table.xata_name, ("no file", None))]
        ]
        return dg.MaterializeResult(
            metadata={
                "source": migration.source_name,
                "target": migration.describe_target(),
                "tables with rows": len(sizes),
                "bytes": sum(size for _, size in sizes.values()),
                "files": table_of(rows),
                **({"left out": table_of([{"left out": text} for text in warnings])} if warnings else {}),
            }
        )

    return xata_export


def make_report_asset(
    translator: XataTranslator, write_page: PageWriter | None = None, files: Sequence[FileColumn] = ()
) -> dg.AssetsDefinition:
    """The result of all tables on one page, red as long as anything is; `write_page` adds a file for the ticket."""
    check = dg.AssetCheckSpec(
        REPORT_CHECK,
        asset=REPORT_KEY,
        description="Every table is migrated, every check of every table passed, no row is over a budget",
    )
    last = {PRIORITY_TAG: str(-len(translator.plan.tables) - len(files))}

    @asset(translator.get_report_spec(files), "migration_report", last, [check])
    def migration_report(
        context: dg.AssetExecutionContext, migration: dg.ResourceParam[Migration]
    ) -> Iterator[dg.MaterializeResult[None]]:
        errors = context.run.tags.get(ERRORS_TAG, "").splitlines()
        with step(context, migration):
            judge_budgets_again(migration, context.instance)
            report = _report(migration, errors)
            page = _write_page(migration, report, write_page)
        context.log.info(_verdict(report))
        yield dg.MaterializeResult(
            metadata=_page(report, page),
            check_results=[
                dg.AssetCheckResult(
                    passed=report["ok"], check_name=REPORT_CHECK, description=f"{_verdict(report)} {_links(report)}"
                )
            ],
        )

    return migration_report


def _report(migration: Migration, errors: Sequence[str]) -> Report:
    with migration.reading() as conn:
        if not ledger.exists(conn, migration.wanted_layout):
            raise UsageError("nothing was migrated into this target yet; materialize the tables first")
        report = build_report(
            migration.plan,
            migration.wanted_layout,
            conn,
            url=migration.known_url,
            source=migration.source_name,
            errors=errors,
            warnings=migration.warnings,
            files=migration.file_columns,
        )
    return run_only(report)


def _write_page(migration: Migration, report: Report, write_page: PageWriter | None) -> Path | None:
    if write_page is None:
        return None
    path = (migration.settings.home / "report.html").resolve()
    write_page(migration, report, path)
    return path


def _verdict(report: Report) -> str:
    rows = sum(table["target_rows"] for table in report["tables"])
    code = ExitCode(report["exit_code"])
    end = what_is_in(report) if code is ExitCode.OK else _VERDICTS[code]
    return f"{end} {counted(len(report['tables']), 'table')}, {counted(rows, 'row')}."


def _page(report: Report, page: Path | None) -> Mapping[str, Any]:
    """Return what Dagit shows of the report, in the order in which a person asks."""
    wrong = [*({"where": "run", "what": error} for error in report["errors"]), *_wrong(report)]
    plot = time_plot(report)
    metadata: dict[str, Any] = {"verdict": dg.MetadataValue.md(f"**{_verdict(report)}** {_links(report)}")}
    if wrong:
        metadata["what is wrong"] = table_of(wrong)
    if plot:
        metadata["slowest tables"] = dg.MetadataValue.md(plot)
    if report["tables"]:
        metadata["all tables"] = table_of([_row(table) for table in report["tables"]])
    if report.get("files"):
        metadata["files"] = table_of([_file_row(column) for column in report["files"]])
    if report["warnings"]:
        metadata["warnings"] = table_of([{"warning": text} for text in report["warnings"]])
    if page:
        metadata["page to hand on"] = dg.MetadataValue.path(page)
    for total in ("source_rows", "target_rows", "rejected_rows", "duplicate_rows", "dangling_links"):
        metadata[total] = sum(table[total] for table in report["tables"])
    red_files = sum(not column["check"]["passed"] for column in report.get("files", ()))
    metadata["failed_checks"] = len(_failed(report)) + red_files
    metadata["seconds"] = round(sum(table["seconds"] for table in report["tables"]), 3)
    metadata["source"] = report["source"]
    metadata["versions"] = ", ".join(f"{name} {version}" for name, version in report["versions"].items() if version)
    return metadata


def _row(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a table's line, narrow enough for the page."""
    rows = f"{table['source_rows']:,} → {table['target_rows']:,}"
    for fact, word in (("rejected_rows", "rejected"), ("duplicate_rows", "copies"), ("dangling_links", "dangling")):
        rows += f", {table[fact]:,} {word}" if table[fact] else ""
    failed = [check["name"] for check in table["checks"] if not check["passed"]]
    verdict = f"FAILED: {', '.join(failed)}" if failed else f"{len(table['checks'])}{_UNBROKEN}passed"
    return {
        "table": table["table"],
        "export → table": rows,
        "time": describe_seconds(table["seconds"]).replace(" ", _UNBROKEN),
        "checks": verdict if table["checks"] else "NOT CHECKED",
    }


def _file_row(column: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "column": f"{column['table']}.{column['column']}",
        "files": column["files"],
        "bytes": column["bytes"],
        "copied": column["copied_files"],
        "check": "passed" if column["check"]["passed"] else column["check"]["description"],
    }


def _failed(report: Report) -> list[tuple[str, Mapping[str, Any]]]:
    return [(table["table"], check) for table in report["tables"] for check in table["checks"] if not check["passed"]]


def _wrong(report: Report) -> list[Mapping[str, Any]]:
    wrong = [{"where": f"{name}: {check['name']}", "what": check["description"]} for name, check in _failed(report)]
    unchecked = [table["table"] for table in report["tables"] if not table["checks"]]
    wrong += [
        {"where": f"files of {column['table']}.{column['column']}", "what": column["check"]["description"]}
        for column in report.get("files", ())
        if not column["check"]["passed"]
    ]
    return wrong + [{"where": name, "what": "not migrated or not checked yet"} for name in unchecked]


def _links(report: Report) -> str:
    """Return links to the failed checks, as many as Dagit shows in place."""
    text = ""
    for name, check in _failed(report):
        link = f"[{name}.{check['name']}](/assets/postgres/{name}?view=checks&checkDetail={check['name']})"
        if len(text) + len(link) > INLINE - 300:
            return f"{text}, …"
        text += f"{', ' if text else 'See '}{link}"
    return text
