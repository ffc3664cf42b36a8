"""The pages are consistent: links, commands and files exist."""

import re
from itertools import pairwise

import pytest

from tests.support.pages import PAGES, ROOT, code, headings, links, table, text

TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
TOP = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"out"}
GLOSSARY = "| term | meaning | do not say |"


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Every relative link names a file or a folder, and its anchor a heading there."""
    broken = []
    for path, anchor in links(page):
        target = (ROOT / page).parent / path if path else ROOT / page
        known = target.exists()
        if known and anchor:
            known = anchor in headings(target.resolve().relative_to(ROOT).as_posix())
        if not known:
            broken.append(f"{path}#{anchor}")
    assert broken == []


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page: str) -> None:
    """Every `make …` in code is a target of the Makefile."""
    named = {
        found for part in code(page) for found in re.findall(r"\bmake (?:-s )?([a-z-]+)", part)
    }
    assert named - TARGETS == set()


@pytest.mark.parametrize("page", PAGES)
def test_files_exist(page: str) -> None:
    """Every path in a code span that begins with a folder of the repository exists."""
    spans = [part.partition("::")[0] for part in code(page) if re.fullmatch(r"[\w./*<>-]+", part)]
    paths = [re.sub(r"<\w+>", "*", span) for span in spans if span.partition("/")[0] in TOP]
    assert [path for path in paths if not any(ROOT.glob(path.rstrip("/")))] == []


def test_every_installation_names_the_image() -> None:
    """Every `helm install` and `helm upgrade` has or keeps image.repository, which is required."""
    commands = [
        command
        for page in PAGES
        for part in code(page)
        for command in re.findall(
            r"^(?:\$ )?(helm (?:install|upgrade) (?:[^\n]*\\\n)*.*)", part, re.MULTILINE
        )
        if "charts/halimede" in command
    ]
    assert len(commands) >= 4
    kept = re.compile("--set image.repository=|--reset-then-reuse-values")
    assert [command for command in commands if not kept.search(command)] == []


def test_the_front_page_is_short() -> None:
    """The README fits into a few screens; the rest is in docs/."""
    assert len(text("README.md").splitlines()) <= 120


def test_the_front_page_leads_to_every_page() -> None:
    """Each page of docs/ has a link on the front page."""
    reachable = {path for path, _ in links("README.md")}
    ours = {page for page in PAGES if page.startswith("docs/") and "decisions/" not in page}
    assert ours - reachable == set()


def test_every_decision_is_listed() -> None:
    """The list of decisions has each record once, and each record has its parts."""
    records = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    assert [path for path, _ in links("docs/decisions/README.md")] == [one.name for one in records]
    for number, record in enumerate(records, start=1):
        lines = record.read_text().splitlines()
        assert lines[0].startswith(f"# {number}. ")
        assert [line for line in lines if line.startswith("## ")] == [
            "## Context",
            "## Decision",
            "## Consequences",
        ]
        assert len(lines) <= 35


def test_the_glossary_has_one_meaning_for_a_word() -> None:
    """Terms are sorted and unique, and no term is listed as a word to avoid."""
    lines = text("docs/glossary.md").split(GLOSSARY)[1].splitlines()[2:]
    terms = [line.split("|")[1].strip().lower() for line in lines]
    assert all(before < after for before, after in pairwise(terms))
    avoided = {
        word.strip()
        for _, words in table("docs/glossary.md", GLOSSARY).values()
        for word in words.split(",")
    }
    assert avoided & set(terms) == set()
