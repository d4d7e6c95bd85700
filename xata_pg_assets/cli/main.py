"""The way in and the way out: every error is one line, and the exit code says its kind."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import traceback
import warnings

import typer
from typer.exceptions import TyperException

from xata_pg_assets.cli.commands import app
from xata_pg_assets.errors import ExitCode, XataPgError, in_one_line

__all__ = ["main"]

_STOPPED = "stopped. What was committed stays; running again continues"
_INTERRUPTED = 130  # what Typer makes of Ctrl-C


def main() -> None:
    """Run the command line; every error is one line on standard error, and the exit code says its kind."""
    gc.set_threshold(50_000, 20, 20)  # Dagster makes many objects, and few of them are garbage
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # a name may be of any bytes
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a supervisor's Ctrl-C
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    is_debug = len(arguments) < len(sys.argv) - 1
    if not is_debug:
        warnings.simplefilter("ignore")  # of libraries, about their own future
        logging.getLogger().addHandler(logging.NullHandler())  # their retries are told once, by the error they end in
    try:
        code = app(arguments, standalone_mode=False)
        if code == _INTERRUPTED:
            code = _fail(_STOPPED)
    except TyperException as error:
        code = _fail(getattr(error, "format_message", error.__str__)(), ExitCode.USAGE)
    except XataPgError as error:
        code = _fail(str(error), error.exit_code, is_debug=is_debug)
    except (KeyboardInterrupt, typer.Abort):
        code = _fail(_STOPPED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.NOT_FINISHED
    except Exception as error:  # the last resort: a person gets one line, --debug the rest
        code = _fail(f"{type(error).__name__}: this should not happen; run again with --debug", is_debug=is_debug)
    gc.freeze()  # or Python would look through a quarter of a million objects of Dagster's before it ends: 0.9 s
    sys.exit(int(code or 0))


def _fail(message: str, code: ExitCode = ExitCode.NOT_FINISHED, *, is_debug: bool = False) -> ExitCode:
    if is_debug:
        traceback.print_exc()
    if message:  # a bare `xata-pg` has shown its help
        print(f"error: {in_one_line(' '.join(message.split()))}", file=sys.stderr)
    return code
