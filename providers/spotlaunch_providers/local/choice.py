"""Which market file holds: the one said last for this folder, else the folder's own, else the built-in one.

``SPOTLAUNCH_LOCAL_MARKET`` is said in one shell, while the watchdog that acts on it may be older than that
shell, or be started again from another. So what is said is written down, and everybody reads it there:
the plan that `submit` shows and the machines that the watchdog starts come from the same market.
"""

from __future__ import annotations

from pathlib import Path

VARIABLE = "SPOTLAUNCH_LOCAL_MARKET"
BUILT_IN = Path(__file__).with_name("market.yaml")
OWN = "market.yaml"  # in the cloud's own folder
BACK = "default"  # said instead of a path, to forget what was said


def remember(folder: Path, said: str) -> None:
    """Keep what the variable says (a path, or ``default``); nothing said changes nothing."""
    note = folder / "market.path"
    if not said:
        return
    if said == BACK:
        note.unlink(missing_ok=True)
        return
    path = str(Path(said).expanduser().absolute())
    if note.is_file() and note.read_text() == path:
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = note.with_suffix(".new")
    fresh.write_text(path)
    fresh.chmod(0o600)
    fresh.replace(note)


def chosen(folder: Path) -> Path:
    """The market file that holds now. It need not exist."""
    try:
        return Path((folder / "market.path").read_text())
    except (FileNotFoundError, NotADirectoryError):
        own = folder / OWN
        return own if own.exists() else BUILT_IN
