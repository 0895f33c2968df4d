"""The command: `spotlaunch ...`, or `python -m spotlaunch ...`. Errors become words here, and exit codes.

Exit codes: 0 fine, 1 failed, 2 wrong use or a bad file, 130 interrupted (Ctrl-C).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

if __name__ == "__main__" and not sys.flags.safe_path:
    # `python -m` puts the folder one stands in before all others, and a folder `yaml/` or
    # `spotlaunch_providers/` of the user's would be taken for ours. Ours stays, if it is that one.
    from pathlib import Path

    if sys.path and sys.path[0] != str(Path(__file__).parent.parent):
        del sys.path[0]

import errno
import os
import warnings
from io import TextIOWrapper

FAILED = 1


def main() -> None:
    """Run the command of this process's arguments, and exit with its code."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; the exit code. Nothing a person did wrong ends in a stack trace."""
    os.umask(0o077)  # whatever is written is its owner's only: logs and checkpoints may hold anything
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without some letter still gets the rest
    # Before there are threads: botocore and requests, loaded side by side, undo each other's filters.
    warnings.filterwarnings("ignore", message="SOCKS support in urllib3")
    import typer

    from spotlaunch.cli.app import app
    from spotlaunch.errors import BadFile, SpotlaunchError

    try:
        code = app(args=list(arguments) or ["--help"], prog_name="spotlaunch", standalone_mode=False)
        sys.stdout.flush()  # now, while a closed pipe can still be met in silence
        return code if isinstance(code, int) else 0
    except BadFile as e:
        _say(e.message)
        _complain(f"{len(e.problems)} problem{'s' if len(e.problems) != 1 else ''} in {e.file}", "")
        return e.exit_code
    except SpotlaunchError as e:
        _complain(e.message, e.hint)
        return e.exit_code
    except typer.Abort:
        _complain("stopped: nothing was answered", "")
        return FAILED
    except typer.TyperException as e:
        context = getattr(e, "ctx", None)
        asked = context.command_path if context is not None else "spotlaunch"
        _complain(e.format_message(), f"`{asked} --help` says how it is meant")
        return e.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _drop_output()  # whoever read it has seen enough
        return FAILED
    except OSError as e:
        if e.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        _drop_output()
        _complain(f"what was to be written could not be: {e.strerror}", "free some space on that disk")
        return FAILED


def _drop_output() -> None:
    """What is still buffered must not be tried again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(message: str, hint: str) -> None:
    _say(f"error: {message}" + (f"\nhint: {hint}" if hint else ""))


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main()
