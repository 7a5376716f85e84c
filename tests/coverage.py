"""How much of the branches of base, envelope, record and carry the unit tests, the vectors and the simulator take.

usage: coverage.py [--missed] [--seeds A..B] [--no-run] [FILE...]

Builds with gcc's coverage into build/coverage, runs the suites `unit`, `vectors` and `trial` and the simulator, and prints for
each file, wing and in all the branches that were taken and that there are, as gcov counts them. Branches of asserts
are not counted: no test can take them.

  --missed      tell each line that has a branch which nothing took: FILE:LINE, how many of how many, the line, and why, as
                tests/coverage.missed has it
  --seeds A..B  what the simulator runs (1..12; 0: none)
  --no-run      count what the last run left, without another
  FILE...       only these, as in the repository: record/receipt.c

The exit status is 1 where a reason in tests/coverage.missed is of no line that is missed any more.

Example: /usr/bin/python3 tests/coverage.py --missed carry/eid.c
"""

import argparse
import collections
import fnmatch
import gzip
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from mutants import read_rules

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = TOP / "build" / "coverage"
REASONS = TOP / "tests" / "coverage.missed"
WINGS = ("base", "envelope", "record", "carry")


def run(words, **options):
    result = subprocess.run([str(word) for word in words], cwd=TOP, encoding="utf-8", capture_output=True, check=False, **options)
    if result.returncode != 0:
        said = (result.stdout + result.stderr)[-4000:]
        sys.exit(f"coverage.py: {' '.join(map(str, words))}: exit status {result.returncode}\n{said}")
    return result.stdout


def run_tests(seeds):
    run(["tools/build", "coverage", "-Dtests=enabled"])
    for counts in BUILD.rglob("*.gcda"):
        counts.unlink()
    suites = [f"--suite={suite}" for suite in ("unit", "vectors", "trial")]
    run(["meson", "test", "-C", BUILD, "--no-rebuild", *suites, "--timeout-multiplier", "8"], env={**os.environ, "PROBES": "1"})
    if seeds != "0":
        run([BUILD / "sim" / "liaison-sim", "--seeds", seeds, "--steps", "2000"])


def assert_lines(text):
    """The numbers of the lines on which an assert stands, with all that its parentheses span."""
    lines = set()
    for match in re.finditer(r"\b(static_)?assert\s*\(", text):
        depth, at = 1, match.end()
        while depth and at < len(text):
            depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        first = text.count("\n", 0, match.start()) + 1
        lines.update(range(first, first + text.count("\n", match.start(), at) + 1))
    return lines


def counted():
    """{file: {line: [times that each of its branches was taken]}}. A file compiled into several programs counts once."""
    branches = collections.defaultdict(lambda: collections.defaultdict(dict))
    for wing in WINGS:
        for notes in sorted(BUILD.glob(f"{wing}/**/*.gcno")):
            with tempfile.TemporaryDirectory() as folder:
                subprocess.run(["gcov", "--branch-probabilities", "--json-format", str(notes)], cwd=folder, check=True,
                               capture_output=True)
                for report in pathlib.Path(folder).glob("*.gcov.json.gz"):
                    add(branches, json.loads(gzip.decompress(report.read_bytes())), notes)
    return {file: {line: list(taken.values()) for line, taken in lines.items()} for file, lines in branches.items()}


def add(branches, report, notes):
    base = pathlib.Path(report.get("current_working_directory", notes.parent))
    for file in report["files"]:
        path = (base / file["file"]).resolve()
        if not path.is_relative_to(TOP) or path.suffix != ".c" or path.relative_to(TOP).parts[0] not in WINGS:
            continue
        name = str(path.relative_to(TOP))
        for line in file["lines"]:
            for number, branch in enumerate(line["branches"]):
                taken = branches[name][line["line_number"]]
                key = (line.get("function_name"), number)
                taken[key] = taken.get(key, 0) + branch["count"]


def without_asserts(branches):
    for file, lines in branches.items():
        skipped = assert_lines((TOP / file).read_text(encoding="utf-8"))
        yield file, {line: taken for line, taken in sorted(lines.items()) if line not in skipped}


def share(taken, count):
    return f"{taken:6} of {count:6}  {100 * taken / count if count else 100:5.1f} %"


class Reasons:
    """Why a branch is not taken: FILE | LINE | REASON, the first two as patterns; LINE without its indentation, or with that
    before it: LINE \\n LINE."""

    def __init__(self):
        self.rules = read_rules(REASONS, 3)
        self.used = set()
        self.explained = self.open = 0

    def of(self, file, before, line, count):
        for number, (files, lines, reason) in enumerate(self.rules):
            text = f"{before} \\n {line}" if " \\n " in lines else line
            if fnmatch.fnmatchcase(file, files) and fnmatch.fnmatchcase(text, lines.replace("[", "[[]")):
                self.used.add(number)
                self.explained += count
                return reason
        self.open += count
        return ""

    def stale(self):
        return [" | ".join(rule) for number, rule in enumerate(self.rules) if number not in self.used]


def tell(branches, missed, reasons):
    totals = collections.defaultdict(lambda: [0, 0])
    for file, lines in sorted(branches.items()):
        source = (TOP / file).read_text(encoding="utf-8").splitlines()
        for line, counts in lines.items():
            taken = sum(1 for count in counts if count)
            for name in (file, file.split("/")[0] + "/", "all"):
                totals[name][0] += taken
                totals[name][1] += len(counts)
            if taken < len(counts):
                text = source[line - 1].strip()
                reason = reasons.of(file, source[line - 2].strip(), text, len(counts) - taken)
                if missed:
                    print(f"{file}:{line}: {len(counts) - taken} of {len(counts)}: {text}")
                    if reason:
                        print(f"    {reason}")
    for name, (taken, count) in sorted(totals.items(), key=lambda item: (item[0] == "all", item[0].endswith("/"), item[0])):
        print(f"{share(taken, count)}  {name}")
    print(f"missed: {reasons.explained} with a reason, {reasons.open} without one")


def main():
    parser = argparse.ArgumentParser(usage=__doc__, add_help=False)
    parser.add_argument("--help", "-h", action="store_true")
    parser.add_argument("--missed", action="store_true")
    parser.add_argument("--no-run", action="store_true")
    parser.add_argument("--seeds", default="1..12")
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    if options.help:
        print(__doc__, end="")
        return
    if shutil.which("gcov") is None:
        sys.exit("coverage.py: there is no gcov: install gcc")
    if not options.no_run:
        run_tests(options.seeds)
    branches = dict(without_asserts(counted()))
    unknown = [file for file in options.files if file not in branches]
    if unknown:
        sys.exit(f"coverage.py: {unknown[0]}: no source of {', '.join(WINGS)} that was compiled has that name")
    reasons = Reasons()
    tell({file: lines for file, lines in branches.items() if not options.files or file in options.files}, options.missed, reasons)
    if not options.files and reasons.stale():
        sys.exit("\n".join(["coverage.py: of no line that is missed:", *reasons.stale()]))


if __name__ == "__main__":
    main()
