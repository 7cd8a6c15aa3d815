"""Documents as tests read them: tables below headings, blocks of code, words in code."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
)
_CELL = re.compile(r"(?<!\\)\|")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def table(name: str, heading: str) -> list[list[str]]:
    """Return the rows of the first table below a heading (or any other text), without the head."""
    _, found, rest = page(name).partition(f"\n{heading}\n")
    assert found, f"{name} has no {heading!r}"
    lines: list[str] = []
    for line in rest.splitlines():
        if line.startswith("|"):
            lines.append(line)
        elif lines:
            break
    assert len(lines) > 2, f"{name} has no table below {heading!r}"
    return [[cell.strip() for cell in _CELL.split(line)[1:-1]] for line in lines[2:]]


def code(cell: str) -> list[str]:
    """Return the words in code of a cell."""
    return re.findall(r"`([^`]+)`", cell)


def words(name: str, heading: str, column: int = 0) -> list[str]:
    """Return every word in code of one column."""
    return [word for row in table(name, heading) for word in code(row[column])]


def blocks(name: str, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return [body for found, body in _FENCE.findall(page(name)) if found == language]


def prose(text: str) -> str:
    """Return a page without its code."""
    return re.sub(r"`[^`\n]*`", "", _FENCE.sub("", text))


def commands(text: str) -> list[str]:
    """Return the commands of a shell block, continued lines joined."""
    return [line for line in re.sub(r"\\\n\s*", "", text).splitlines() if line.strip()]


def modules() -> Iterator[tuple[Path, ast.Module]]:
    """Yield every module of the package with its tree."""
    for path in sorted((ROOT / "notifier").rglob("*.py")):
        yield path.relative_to(ROOT), ast.parse(path.read_text(encoding="utf-8"))
