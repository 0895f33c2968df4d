"""Which files of a working directory are left out of its bundle, by ``.gitignore`` and ``.spotlaunchignore``.

As git does it: the last pattern that matches decides, a deeper file outranks a higher one, and nothing can be
brought back from a folder that is left out. In one folder ``.spotlaunchignore`` outranks ``.gitignore``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec, Pattern

from spotlaunch.core.units import quoted
from spotlaunch.errors import UsageError

FILES = (".gitignore", ".spotlaunchignore")


@dataclass(frozen=True, slots=True)
class _Rule:
    """One line of a file of patterns.

    pathspec lets a pattern that matches a folder match all that is in it, which is right for a list of
    paths, but not for a walk from folder to folder: ``.env`` then ``!config`` would bring back
    ``config/.env``, which git leaves out. So lengths are compared here: ``length`` is how many parts the path
    must have (0: any number from ``least`` on, as there is a ``**``), and ``tail`` what its last parts must
    match, those after the last ``**``. ``name_only``: a pattern without a slash, which does not see the
    folders above.
    """

    leave_out: bool
    whole: Pattern
    length: int = 1
    name_only: bool = False
    folders_only: bool = False
    least: int = 1
    tail: _Rule | None = None

    def matches(self, parts: list[str], slash: str) -> bool:
        """Whether the path of these parts (``slash`` is ``/`` for a folder) is what the line means."""
        if self.folders_only and not slash:
            return False
        if self.name_only:
            parts = parts[-1:]
        if len(parts) < self.least or (self.length and len(parts) != self.length):
            return False
        if self.tail and not self.tail.matches(parts[-self.tail.length :], slash):
            return False
        return self.whole.match_file("/".join(parts) + slash) is not None


@dataclass(frozen=True, slots=True)
class Ignore:
    """The rules that hold in one folder: its own and those of the folders above it, highest first.

    Each is the folder's path with a ``/`` behind it, and the lines that count from there, last one first.
    """

    rules: tuple[tuple[str, tuple[_Rule, ...]], ...] = ()

    def inside(self, folder: Path) -> Ignore:
        """These rules and those of ``folder``. Raises `UsageError` for patterns that cannot be read."""
        rules = [rule for name in FILES for rule in _read(folder / name)]
        return Ignore((*self.rules, (f"{folder}/", tuple(reversed(rules))))) if rules else self

    def leaves_out(self, path: Path, *, is_folder: bool) -> bool:
        """Whether ``path`` is left out, given that the folder it is in is not."""
        for prefix, rules in reversed(self.rules):
            parts = str(path)[len(prefix) :].split("/")
            for rule in rules:
                if rule.matches(parts, "/" if is_folder else ""):
                    return rule.leave_out
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


def _read(file: Path) -> list[_Rule]:
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except (FileNotFoundError, IsADirectoryError):
        return []
    except OSError as e:
        raise UsageError(f"cannot read {file}: {e.strerror}", hint="it says what to leave out of the bundle") from e
    rules = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            rule = _rule(line.rstrip("\r"))
        except ValueError as e:
            hint = "a pattern is a path with * and ? in it, or a line that begins with #"
            raise UsageError(f"{file}:{number}: {quoted(line)} is not a pattern", hint=hint) from e
        if rule is not None:
            rules.append(rule)
    return rules


def _rule(line: str) -> _Rule | None:
    """The rule that a line means; None for blank lines and comments. Raises ValueError."""
    # Blanks at the end do not count, but for one behind a backslash.
    bare = line.rstrip(" ")
    line = bare + " " if bare.endswith("\\") and bare != line else bare
    if not line.strip("/") or line.startswith("#"):
        return None
    leave_out = not line.startswith("!")
    if not leave_out:
        line = "\\" + line[1:] if line[1:2] in ("#", "!") else line[1:]
        if not line:
            raise ValueError("nothing to bring back")
    whole = _pattern(line)
    slash = "/" if line.endswith("/") else ""
    if "/" not in line.removesuffix("/"):
        return _Rule(leave_out, whole, name_only=True)
    parts = line.removesuffix("/").removeprefix("/").split("/")
    if "**" not in parts:
        return _Rule(leave_out, whole, len(parts))
    after = parts[len(parts) - parts[::-1].index("**") :]
    if not after:
        # What is in a folder, not the folder itself; with a slash behind, the folders in it.
        return _Rule(leave_out, whole, 0, least=len(parts) - parts.count("**") + 1, folders_only=bool(slash))
    tail = _Rule(leave_out, _pattern("/" + "/".join(after) + slash), len(after))
    return _Rule(leave_out, whole, 0, tail=tail)


def _pattern(line: str) -> Pattern:
    (pattern,) = GitIgnoreSpec.from_lines([line]).patterns
    return pattern
