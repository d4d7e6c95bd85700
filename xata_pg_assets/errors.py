"""What can go wrong, as a person is told it: one line that names the thing and the mend.

XataPgError
├── UsageError        exit 2: wrong flags or settings; nothing was touched
│   └── SchemaError   exit 2: the Xata schema cannot be used
├── ExportError       exit 3: a file of the export cannot be read; names file and line
├── TargetError       exit 3: the target database refuses for good
├── BusyError         exit 3: another migration is at work on the target; names it
├── TransientError    exit 3: the target is gone or busy; running again continues
│   └── UnreachableError  exit 3: it cannot even be connected to
└── StoppedError      exit 3: the user stopped it

Only TransientError is worth a retry.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = [
    "BusyError",
    "ExitCode",
    "ExportError",
    "SchemaError",
    "StoppedError",
    "TargetError",
    "TransientError",
    "UnreachableError",
    "UsageError",
    "XataPgError",
    "counted",
    "in_one_line",
]


class ExitCode(IntEnum):
    """The exit codes of `xata-pg`."""

    OK = 0
    CHECK_FAILED = 1
    USAGE = 2
    NOT_FINISHED = 3


def counted(number: int, noun: str) -> str:
    """Say how many there are of something.

    >>> counted(1, "row"), counted(1200, "copy"), counted(0, "foreign key")
    ('1 row', '1,200 copies', '0 foreign keys')
    """
    plural = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in "aeiou" else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


class XataPgError(Exception):
    """Base of everything that is told to the user in one line."""

    exit_code = ExitCode.NOT_FINISHED


class UsageError(XataPgError):
    """Raised before anything is touched: a flag, a variable or a settings file is wrong."""

    exit_code = ExitCode.USAGE


class SchemaError(UsageError):
    """Raised when the Xata schema is missing, unreadable or of a kind that is not ours."""


class ExportError(XataPgError):
    """Raised when a file of the export cannot be read any further; names the file and the line."""

    def __init__(self, file: str, line: int | None, reason: str) -> None:
        self.file = file
        self.line = line
        self.reason = reason
        where = file if line is None else f"{file}:{line}"
        super().__init__(f"{where}: {reason}")


class TargetError(XataPgError):
    """Raised when the target database refuses for a reason that a retry does not mend."""


class BusyError(XataPgError):
    """Raised when another migration is at work on the target: its end may be hours away, so nobody waits for it."""


class TransientError(XataPgError):
    """Raised when the target is unreachable or busy: the same call may go through later."""


class UnreachableError(TransientError):
    """Raised when there is no connection to be had; statements that were cut off raise TransientError."""


class StoppedError(XataPgError):
    """Raised when the user stopped a migration; tells how far it had come."""

    def __init__(self, done: int, tables: int) -> None:
        super().__init__(
            f"stopped with {done} of {tables} tables done. What was committed stays; running again continues"
        )


def in_one_line(text: str) -> str:
    r"""Write what may hold names from outside so that it stays one line, and steers no terminal.

    Control characters, line ends and marks that turn or hide text become escapes.

    >>> in_one_line("a\nb\x1b[31m")
    'a\\nb\\x1b[31m'
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )
