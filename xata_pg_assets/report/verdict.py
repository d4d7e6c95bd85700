"""May one switch? The result in one sentence, and what is wrong, the gravest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from xata_pg_assets.errors import ExitCode
from xata_pg_assets.report.result import NOT_RUN, Report

__all__ = ["Problem", "Verdict", "amount", "judge", "what_is_in"]

# Lost rows weigh more than wrong values, these more than wrong links, and a key can be made again
_GRAVITY = (
    "row_count",
    "values_equal",
    "ids_rewritten",
    "foreign_keys",
    "id_mapping_one_to_one",
    "unique_values",
    "not_null",
    "constraints_in_place",
)
_BUDGETS = {
    "max_rejected_rows": ("rejected_rows", "rejected row", "mend them in the export and migrate again, or allow them"),
    "max_dangling_links": ("dangling_links", "dangling link", "export the linked tables again, or allow them"),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong; `table` is None where it is about the whole."""

    table: str | None
    what: str
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The sentence, whether all is well, and what is wrong or was left out within what is allowed."""

    tone: Literal["good", "fair", "bad"]
    answer: str
    reason: str
    problems: Sequence[Problem]

    @property
    def sentence(self) -> str:
        """The verdict as one sentence."""
        return f"{self.answer}: {self.reason}"


def judge(report: Report) -> Verdict:
    """Return the verdict on a report."""
    problems = _problems(report)
    if report["exit_code"] == ExitCode.OK:
        left_out = _left_out(report)
        reason = f"{_rows_in(report)}, all {amount(_checks(report), 'check')} passed"
        if left_out:
            reason += f"; {' and '.join(left_out)} within what the settings allow"
        return Verdict("fair" if left_out else "good", "You may switch", f"{reason}.", problems)
    if report["exit_code"] == ExitCode.CHECK_FAILED:
        failed = [check for check in _all_checks(report) if not check["passed"]]
        reason = "; ".join([*_left_out(report), f"{len(failed)} of {amount(_checks(report), 'check')} failed"])
        return Verdict("bad", "Do not switch yet", f"{reason}.", problems)
    missing = sum(1 for table in report["tables"] if not table["checks"])
    reason = (
        f"{missing} of {amount(len(report['tables']), 'table')} are not finished." if missing else _unfinished(report)
    )
    return Verdict("bad", "Do not switch yet", reason, problems)


def what_is_in(report: Report) -> str:
    """Say of a migration that came out well what is in, and what was left out within the budgets."""
    rejected, dangling = (
        sum(table[name] for table in report["tables"]) for name in ("rejected_rows", "dangling_links")
    )
    text = "All rows are in" + (f" but {rejected:,} rejected" if rejected else "")
    text += f", all links but {dangling:,} dangling" if dangling else ""
    return f"{text}{', as the settings allow;' if rejected or dangling else ','} all checks passed."


def _unfinished(report: Report) -> str:
    is_files = any(column["check"]["description"].startswith(NOT_RUN) for column in report.get("files", ()))
    return "its files are not all copied and checked." if is_files and not report["errors"] else "a table failed."


def amount(number: int, what: str) -> str:
    """Return a number with its noun.

    >>> amount(1, "row"), amount(3992, "copy")
    ('1 row', '3,992 copies')
    """
    if number == 1:
        return f"1 {what}"
    return f"{number:,} {what[:-1]}ies" if what.endswith("y") else f"{number:,} {what}s"


def _problems(report: Report) -> list[Problem]:
    found = [Problem(None, "error", text) for text in report["errors"]]
    for table in report["tables"]:
        if not table["checks"]:
            text = "it is not in the database, or was not checked after its last load; run xata-pg migrate"
            found.append(Problem(table["table"], "not finished", text))
    failed = [(table, check) for table in report["tables"] for check in table["checks"] if not check["passed"]]
    found += [
        Problem(table["table"], check["name"], check["description"])
        for table, check in sorted(failed, key=lambda pair: _GRAVITY.index(pair[1]["name"]))
        if not _budget(check)
    ]
    found += [
        Problem(f"{column['table']}.{column['column']}", column["check"]["name"], column["check"]["description"])
        for column in report.get("files", ())
        if not column["check"]["passed"]
    ]
    return found + list(_over_budget(failed))


def _budget(check: Report) -> str | None:
    """Return the setting that a check is red for, and for nothing else."""
    return next((name for name in _BUDGETS if f"({name})" in check["description"]), None)


def _over_budget(failed: Sequence[tuple[Report, Report]]) -> Iterator[Problem]:
    """Tell once what is over a budget: it turns the check of every table red that has a share in it."""
    for setting, (fact, what, mend) in _BUDGETS.items():
        tables = [table for table, check in failed if _budget(check) == setting]
        if tables:
            shares = ", ".join(f"{table['table']} {table[fact]:,}" for table in tables)
            total = amount(sum(table[fact] for table in tables), what)
            yield Problem(None, f"{total}, more than {setting} allows", f"{shares}; {mend}")


def _rows_in(report: Report) -> str:
    rows = {name: sum(table[name] for table in report["tables"]) for name in ("source_rows", "target_rows")}
    copies = sum(table["duplicate_rows"] for table in report["tables"])
    tables = amount(len(report["tables"]), "table")
    text = f"all {amount(rows['source_rows'] - copies, 'row')} of {tables} are in"
    if rows["target_rows"] + copies != rows["source_rows"]:
        text = f"{rows['target_rows']:,} of {amount(rows['source_rows'] - copies, 'row')} of {tables} are in"
    return f"{text} (and {amount(copies, 'exact copy')} dropped)" if copies else text


def _checks(report: Report) -> int:
    return len(_all_checks(report))


def _all_checks(report: Report) -> list[Report]:
    checks = [check for table in report["tables"] for check in table["checks"]]
    return checks + [column["check"] for column in report.get("files", ())]


def _left_out(report: Report) -> list[str]:
    counts = (("rejected_rows", "rejected row"), ("dangling_links", "dangling link"))
    sums = [(sum(table[name] for table in report["tables"]), what) for name, what in counts]
    return [amount(number, what) for number, what in sums if number]
