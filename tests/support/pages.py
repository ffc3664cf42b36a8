"""The documentation pages and their contents."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "charts/**/*.md", ".github/**/*.md")
    for path in ROOT.glob(pattern)
)


def text(page: str) -> str:
    """Return the text of a page."""
    return (ROOT / page).read_text()


def headings(page: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", without_blocks(text(page)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in titles}


def links(page: str) -> Iterator[tuple[str, str]]:
    """Yield the file and the anchor of every link within the repository."""
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(text(page))):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            yield path, anchor


def without_blocks(markdown: str) -> str:
    """Return the page without code blocks."""
    return re.sub(r"^```.*?^```", "", markdown, flags=re.MULTILINE | re.DOTALL)


def code(page: str) -> list[str]:
    """Return the code blocks and code spans of a page."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text(page), re.MULTILINE | re.DOTALL)
    return [*blocks, *re.findall(r"`([^`\n]+)`", without_blocks(text(page)))]


def table(page: str, header: str) -> dict[str, list[str]]:
    """Return the rows of all tables with this header, by the code in the first cell."""
    rows: dict[str, list[str]] = {}
    for part in text(page).split(f"\n{header}\n")[1:]:
        for line in part.splitlines()[1:]:
            if not line.startswith("|"):
                break
            first, *others = (cell.strip() for cell in line.strip("|").split("|"))
            rows |= dict.fromkeys(re.findall(r"`([^`]+)`", first) or [first], others)
    return rows


def command(page: str, beginning: str) -> list[str]:
    """Return the words of the first command of a page's code blocks that begins like this."""
    commands = (
        line.removeprefix("$ ").replace("\\\n", " ")
        for block in code(page)
        for line in re.findall(r"^\$ (?:.*\\\n)*.*$", block, re.MULTILINE)
    )
    found = [shlex.split(line) for line in commands if line.startswith(beginning)]
    assert found, f"{page} has no command that begins with {beginning!r}"
    return found[0]
