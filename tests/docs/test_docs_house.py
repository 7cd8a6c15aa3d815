"""Rules of the house that no linter holds: budgets, glossary, words that do not belong here."""

import ast
import re
import subprocess

import pytest
from docs_kit import PAGES, ROOT, modules, page, prose, table

_MOST_LINES, _MOST_IN_A_FUNCTION = 400, 60
_MIGRATIONS = ROOT / "notifier/storage/migrations/versions"

# A letter in brackets matches itself, so that this file is not among those found.
_FOREIGN = (
    r"/wor[k]/|\bshare[d]/|pyp[i]\.org|pythonhoste[d]\.org|npmj[s]\.org|proxy\.golan[g]\.org|crate[s]\.io"
    r"|\bissue #\d|\bGH-\d|\bPR #\d"
)
_NOT_OUR_WORDS = r"notifications?|mocks?|stubs?|payloads?|resend\w*|destinations?"


def _is_ours(path) -> bool:
    return _MIGRATIONS not in (ROOT / path).parents


def test_no_module_is_longer_than_its_budget():
    lengths = {
        str(path): (ROOT / path).read_text(encoding="utf-8").count("\n")
        for path, _ in modules()
        if _is_ours(path)
    }

    assert {path: length for path, length in lengths.items() if length > _MOST_LINES} == {}


def test_no_function_is_longer_than_its_budget():
    long = [
        f"{path}: {node.name}"
        for path, tree in modules()
        if _is_ours(path)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > _MOST_IN_A_FUNCTION
    ]

    assert long == []


def test_contributing_states_the_budgets_that_are_held():
    text = page("CONTRIBUTING.md")

    assert f"at most {_MOST_LINES} lines, a function at most {_MOST_IN_A_FUNCTION}" in text


def test_no_file_names_what_does_not_belong_here():
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()  # fmt: skip
    forms = re.compile(_FOREIGN, re.IGNORECASE)
    files = [ROOT / name for name in listed if (ROOT / name).is_file()]

    found = [
        f"{file.relative_to(ROOT)}: {match[0]}"
        for file in files
        if (match := forms.search(file.read_text(encoding="utf-8", errors="replace")))
    ]

    assert len(files) > 100
    assert found == []


@pytest.mark.parametrize("path", [each for each in PAGES if each.name != "CONTRIBUTING.md"], ids=str)
def test_pages_keep_to_the_words_of_the_house(path):
    text = prose(path.read_text(encoding="utf-8"))

    assert re.findall(rf"\b(?:{_NOT_OUR_WORDS})\b", text, re.IGNORECASE) == []


def test_the_glossary_has_ten_words_and_each_is_a_thing_in_the_code():
    words = [row[0] for row in table("README.md", "## Ten words")]
    classes = {
        node.name for _, tree in modules() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
    }

    assert len(words) == len(set(words)) == 10
    for word in words:
        assert any(name.startswith(word.capitalize()) for name in classes), word


def test_every_decision_says_what_it_was_about_and_what_was_chosen():
    files = sorted((ROOT / "docs/decisions").glob("*.md"))

    assert [int(file.name[:4]) for file in files] == list(range(1, len(files) + 1))
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert text.startswith(f"# {int(file.name[:4])}. ")
        assert "**Context.**" in text
        assert "**Choice.**" in text
        assert text.count("\n") < 40
