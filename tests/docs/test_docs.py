"""What README and docs say, held against the program: commands, job files, links, targets, variables."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from spotlaunch.cli.app import app
from spotlaunch.config import STORE, STORE_SETTINGS
from spotlaunch.core.jobfile import read_job
from spotlaunch.registry import REHEARSALS, known_settings, provider_names
from tests.docs.pages import PAGES, ROOT, blocks, headings, inline_code, links, shown

VARIABLE = re.compile(r"\bSPOTLAUNCH_[A-Z_]*[A-Z]\b")
TARGET = re.compile(r"\bmake ([a-z]+)\b")
PROSE_MAKE = frozenset({"it", "a", "the", "our", "them", "calls", "rests", "sure", "us", "themselves"})


def commands_named() -> list[tuple[str, str]]:
    """Every ``spotlaunch ...`` of the pages, with the page it stands on."""
    found = []
    for page in PAGES:
        lines = [
            line for b in blocks(page) if b.language in ("console", "sh", "bash", "") for line in b.text.splitlines()
        ]
        told = [line.strip().removeprefix("$ ") for line in lines] + inline_code(page)
        found += [(shown(page), text) for text in told if re.match(r"spotlaunch( |$)", text)]
    return sorted(set(found))


def tree() -> Any:
    return typer.main.get_command(app)


def options_of(command: Any) -> set[str]:
    return {name for p in command.params for name in (*p.opts, *p.secondary_opts)} | {"-h", "--help"}


@pytest.mark.parametrize(("page", "text"), commands_named())
def test_every_command_and_option_named_exists(page: str, text: str) -> None:
    _, *words = shlex.split(text, comments=True)
    root = tree()
    if not words or words[0].startswith("-") or words[0] == "...":
        assert {w for w in words if w.startswith("-")} <= options_of(root)
        return
    assert words[0] in root.commands, f"{page}: there is no command {words[0]!r} (in `{text}`)"
    given = {w.partition("=")[0] for w in words[1:] if re.match(r"--?[a-z]", w)}
    assert given <= options_of(root.commands[words[0]]), f"{page}: `{text}`"


def test_every_command_is_named_in_the_readme() -> None:
    named = {text.split()[1] for page, text in commands_named() if page == "README.md" and " " in text}
    assert set(tree().commands) - named == set()


def job_files() -> list[tuple[str, str]]:
    found = [(f"{shown(p)}:{b.line}", b.text) for p in PAGES for b in blocks(p) if b.language in ("yaml", "yml")]
    return [(place, text) for place, text in found if re.search(r"^run:", text, re.MULTILINE)]


@pytest.mark.parametrize(("place", "text"), job_files(), ids=[place for place, _ in job_files()])
def test_every_job_file_shown_is_a_good_one(place: str, text: str) -> None:
    secrets = dict.fromkeys(("WANDB_API_KEY", "HF_TOKEN"), "x" * 20)
    assert read_job(text, file=place, names=provider_names(), env=secrets).run


def test_there_are_job_files_in_readme_and_docs() -> None:
    places = {place.partition(":")[0] for place, _ in job_files()}
    assert {"README.md", "docs/job-file.md", "docs/stores.md"} <= places


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{shown(page)}: {link}"
        assert target.is_relative_to(ROOT), f"{shown(page)}: {link} leads out of the repository"
        assert not anchor or anchor in headings(target), f"{shown(page)}: {link}: there is no such heading"


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_file_named_as_a_path_exists(page: Path) -> None:
    for code in inline_code(page):
        if re.fullmatch(r"(spotlaunch|providers|tests|configs|docs)/[\w./-]+", code):
            assert (ROOT / code).exists(), f"{shown(page)}: there is no {code}"


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_every_make_target_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    told = [*inline_code(page), *(b.text for b in blocks(page) if b.language in ("console", "sh", "bash"))]
    named = {m for text in told for m in TARGET.findall(text)} - PROSE_MAKE
    assert named <= targets, shown(page)


def settings_variables() -> dict[str, dict[str, str]]:
    """By provider, and for the store, the keys with our variable for each."""
    known = {STORE: STORE_SETTINGS, **{name: known_settings(name) or {} for name in provider_names()}}
    return {name: {key: f"SPOTLAUNCH_{name}_{key}".upper() for key in keys} for name, keys in known.items()}


@pytest.mark.parametrize("name", [n for n in provider_names() if (ROOT / f"docs/providers/{n}.md").exists()])
def test_a_providers_page_has_every_key_with_its_variables_and_no_other(name: str) -> None:
    known = known_settings(name) or {}
    rows = re.findall(r"^\| `(\w+)` \| (`SPOTLAUNCH_[^|]*) \|", (ROOT / f"docs/providers/{name}.md").read_text(), re.M)
    told = {key: set(re.findall(r"`(\w+)`", variables)) for key, variables in rows}
    assert told == {key: {settings_variables()[name][key], *setting.env} for key, setting in known.items()}


def test_the_page_of_stores_has_every_setting() -> None:
    text = (ROOT / "docs/stores.md").read_text()
    told = set(re.findall(r"^\| (?:`\w+`)? ?\| `(SPOTLAUNCH_STORE_\w+)` \|", text, re.M))
    assert told == set(settings_variables()[STORE].values())


def test_every_cloud_has_a_page() -> None:
    assert set(provider_names()) - REHEARSALS == {p.stem for p in (ROOT / "docs/providers").glob("*.md")}


def test_variables_of_documents_and_code_are_the_same() -> None:
    sources = [p for room in ("spotlaunch", "providers") for p in (ROOT / room).rglob("*.py")]
    in_code = {name for p in sources for name in VARIABLE.findall(p.read_text())} - {"SPOTLAUNCH_"}
    in_code |= {variable for variables in settings_variables().values() for variable in variables.values()}
    in_docs = {name for page in PAGES for name in VARIABLE.findall(page.read_text())}
    assert in_docs - in_code == set(), "named in the documents, and nowhere in the code"
    assert in_code - in_docs == set(), "in the code, and nowhere in the documents"


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(p.name[:4]) for p in sorted((ROOT / "docs/decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
