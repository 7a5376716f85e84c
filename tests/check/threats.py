"""What doc/THREATS.md names is there: files, functions, and tests that are run.

usage: threats.py SOURCE_ROOT

A section of the page is a threat: what is done against it, a paragraph "Code:" and a paragraph "Test:". In these a name in
backquotes with a slash in it is a file, and one without is a function or a test of the file before it. Prints TAP.
"""

import pathlib
import re
import sys

SECTION = re.compile(r"^## (\d+)\. .*$|^## (Not covered yet)$", re.MULTILINE)
THREATS = range(1, 29)


class Section:
    def __init__(self, number, text):
        self.number = number
        paragraphs = [paragraph.strip() for paragraph in text.split("\n\n") if paragraph.strip()]
        self.defence = [paragraph for paragraph in paragraphs if not paragraph.startswith(("Code: ", "Test: "))]
        self.code = references(paragraphs, "Code: ")
        self.tests = references(paragraphs, "Test: ")


def references(paragraphs, begin):
    """(file, the names in it) for each file that the paragraph names; names before any file are of no file."""
    found = []
    for name in re.findall(r"`([^`]+)`", "\n".join(text for text in paragraphs if text.startswith(begin))):
        if "/" in name:
            found.append((name, []))
        else:
            if not found:
                found.append(("", []))
            found[-1][1].append(name)
    return found


def read(page):
    parts = SECTION.split(page)
    sections = [Section(int(number), text) for number, text in zip(parts[1::3], parts[3::3]) if number]
    last = parts[-1] if parts[-2] else ""
    return sections, [int(number) for number in re.findall(r"^\* (\d+), ", last, re.MULTILINE)]


def is_defined(text, name, suffix):
    """Functions begin in the first column, and so does the line of their name (tidy.py)."""
    if suffix == ".py":
        return re.search(rf"^ *def {name}\(", text, re.MULTILINE)
    if suffix == ".pml":
        return re.search(rf"^(?:ltl|active proctype|proctype|inline) {name}\b", text, re.MULTILINE)
    return re.search(rf"^[a-z][^;=]*\b{name}\([^;]*\)\n\{{", text, re.MULTILINE)


def is_run(text, name, suffix):
    """A test that is defined and in no list of its file would never fail."""
    if suffix == ".pml":
        return True  # tests/models/models.py runs all
    listed = re.compile(rf"^\s*{name},?$" if suffix == ".py" else rf"\w*(?:test|TEST)\w*\({name}\b", re.MULTILINE)
    in_line = re.compile(rf"run_tests\([^)]*\b{name}\b|\[[^\]]*\b{name}\b[^\]]*\]")
    return listed.search(text) or (suffix == ".py" and in_line.search(text))


def all_stand(sections, uncovered, _):
    numbers = [section.number for section in sections]
    if numbers != sorted(numbers) or sorted(numbers + uncovered) != list(THREATS):
        yield f"the sections and what is not covered are {numbers} and {uncovered}, not each threat once"
    for section in sections:
        if not section.defence or not section.code or not section.tests:
            yield f"section {section.number} lacks its defence, its code or its tests"


def files_are_there(sections, _, root):
    for section in sections:
        for name, _ in section.code + section.tests:
            if not (root / name).is_file():
                yield f"section {section.number}: there is no file {name or 'before the first name'}"
        for name, functions in section.code:
            if name.startswith("tests/") or not functions:
                yield f"section {section.number}: {name} stands under Code, without a function of ours"
        for name, cases in section.tests:
            if not name.startswith("tests/") or bool(cases) == name.endswith(".patch"):
                yield f"section {section.number}: {name} is not a test and its cases, nor a patch alone"


def names_are_there(which, holds, what):
    def rule(sections, _, root):
        for section in sections:
            for name, wanted in getattr(section, which):
                path = root / name
                text = path.read_text(encoding="utf-8") if path.is_file() else ""
                for one in wanted:
                    if not holds(text, one, path.suffix):
                        yield f"section {section.number}: {one} is not {what} in {name}"
    return rule


RULES = [
    ("each threat has its defence, its code and its tests, or is said not to be covered", all_stand),
    ("every file that is named is there", files_are_there),
    ("every function that is named is defined", names_are_there("code", is_defined, "defined")),
    ("every test that is named is defined", names_are_there("tests", is_defined, "defined")),
    ("every test that is named is run", names_are_there("tests", is_run, "run")),
]


def main():
    root = pathlib.Path(sys.argv[1])
    sections, uncovered = read((root / "doc/THREATS.md").read_text(encoding="utf-8"))
    found = [(title, list(rule(sections, uncovered, root))) for title, rule in RULES]
    print(f"1..{len(found)}")
    for number, (title, broken) in enumerate(found, 1):
        print("\n# ".join([f"{'not ok' if broken else 'ok'} {number} - {title}", *broken]))
    return 1 if any(broken for _, broken in found) else 0


if __name__ == "__main__":
    sys.exit(main())
