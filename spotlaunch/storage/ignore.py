"""Which files of a working directory are left out of its bundle, by ``.gitignore`` and ``.spotlaunchignore``.

As git does it: the last pattern that matches decides, a deeper file outranks a higher one, and nothing can be
brought back from a folder that is left out. In one folder ``.spotlaunchignore`` outranks ``.gitignore``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

from spotlaunch.core.units import quoted
from spotlaunch.errors import UsageError

FILES = (".gitignore", ".spotlaunchignore")


@dataclass(frozen=True, slots=True)
class Ignore:
    """The rules that hold in one folder: its own and those of the folders above it, highest first.

    Each is the folder's path with a ``/`` behind it, and the patterns that count from there.
    """

    rules: tuple[tuple[str, GitIgnoreSpec], ...] = ()

    def inside(self, folder: Path) -> Ignore:
        """These rules and those of ``folder``. Raises `UsageError` for patterns that cannot be read."""
        lines = [line for name in FILES for line in _lines(folder / name)]
        return Ignore((*self.rules, (f"{folder}/", _compile(folder, lines)))) if lines else self

    def leaves_out(self, path: Path, *, is_folder: bool) -> bool:
        """Whether ``path`` is left out, given that the folder it is in is not."""
        name = f"{path}/" if is_folder else str(path)
        for prefix, spec in reversed(self.rules):
            if (answer := spec.check_file(name[len(prefix) :]).include) is not None:
                return answer
        return False


def rules_above(workdir: Path) -> Ignore:
    """The rules from the root of the git repository that ``workdir`` is in, down to just above it.

    Someone who trains in a folder of a repository keeps ``.env`` in the ``.gitignore`` at its root: what git
    would not take must not reach a bucket. Rules that leave out ``workdir`` itself do not count: it was named.
    """
    if (workdir / ".git").exists():
        return Ignore()
    above: list[Path] = []
    for folder in workdir.parents:
        above.append(folder)
        if (folder / ".git").exists():
            break
    else:
        return Ignore()
    rules = Ignore()
    for folder, below in zip(reversed(above), [*reversed(above[:-1]), workdir], strict=True):
        rules = rules.inside(folder)
        if rules.leaves_out(below, is_folder=True):
            return Ignore()
    return rules


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
        return [line.rstrip("\r") for line in text.split("\n")]
    except (FileNotFoundError, IsADirectoryError):
        return []
    except OSError as e:
        raise UsageError(f"cannot read {file}: {e.strerror}", hint="it says what to leave out of the bundle") from e


def _compile(folder: Path, lines: list[str]) -> GitIgnoreSpec:
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError:
        bad = next((line for line in lines if not _valid(line)), "")
        hint = f"correct it in {folder / FILES[0]} or {FILES[1]}"
        raise UsageError(f"{quoted(bad)} is not a pattern of files to leave out", hint=hint) from None


def _valid(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True
