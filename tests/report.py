"""Adds up the results of ./test, and prints all that a failed test has said.

usage: report.py FOLDER [RUN:SUITE[,SUITE...]...]

FOLDER holds NAME.tap (TAP, the results of a build), and for each run RUN.json (meson's log of it) and RUN.tests (all
tests that its build has, by meson introspect).

The tests that a TAP program reports count one by one; any other program counts as one. A TAP program that
ends badly counts as one failed test more; so does a SUITE of which its RUN has no result, and a test that a build
has and that no run has a result of. The last line is `N passed, N failed`; the lines above it say how many were skipped,
and why.
"""

import collections
import json
import pathlib
import re
import sys

TAP_LINE = re.compile(r"^(not )?ok\b\s*(\d*)\s*-?\s*([^#]*)(#\s*SKIP\b)?", re.IGNORECASE)
TAP_PLAN = re.compile(r"^1\.\.(\d+)(?:\s*#\s*SKIP\b(.*))?", re.MULTILINE)
UNTOLD = "it does not say why"


class Totals:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []

    def add_tap(self, program, output, ended_well):
        """Adds the tests of one program. Its plan says how many there should be."""
        failed_before = len(self.failed)
        count = 0
        for line in output.splitlines():
            match = TAP_LINE.match(line)
            if not match:
                continue
            count += 1
            name = f"{program}: {match.group(3).strip()}"
            rest = line[match.end():].strip()
            if match.group(4) and match.group(1):  # cmocka writes "not ok N # SKIP name" for what is skipped
                self.skipped.append((f"{program}: {rest}", UNTOLD))
            elif match.group(4):
                self.skipped.append((name, rest or UNTOLD))
            elif match.group(1):
                self.failed.append(name)
            else:
                self.passed += 1
        plan = TAP_PLAN.search(output)
        if ended_well and plan is not None and plan.group(1) == "0":
            self.skipped.append((program, (plan.group(2) or "").strip() or UNTOLD))
        as_planned = plan is not None and int(plan.group(1)) == count
        if not (ended_well and as_planned) and len(self.failed) == failed_before:
            self.failed.append(f"{program}: it ended early, or badly ({count} tests reported)")

    def add_meson(self, test):
        output = test.get("stdout") or ""
        before = len(self.failed)
        if test["result"] == "TIMEOUT":
            self.failed.append(f"{test['name']}: it took too long")
        elif TAP_PLAN.search(output):
            self.add_tap(test["name"], output, test["returncode"] == 0)
        elif test["result"] == "SKIP":
            self.skipped.append((test["name"], UNTOLD))
        elif test["result"] == "OK":
            self.passed += 1
        else:
            self.failed.append(test["name"])
        if len(self.failed) > before:
            print(f"==== {test['name']}: {test['result']}, exit status {test['returncode']}")
            print(output.rstrip())
            print((test.get("stderr") or "").rstrip())


def names_run(folder, run):
    """The tests of which a run has a result, by meson's name for it: PROJECT:SUITE+SUITE / NAME."""
    log = folder / f"{run}.json"
    return {json.loads(line)["name"] for line in log.read_text(encoding="utf-8").splitlines()} if log.exists() else set()


def names_built(folder, run):
    """The tests that the build of a run has, by the same name."""
    listed = folder / f"{run}.tests"
    for test in json.loads(listed.read_text(encoding="utf-8")) if listed.exists() else []:
        project = test["suite"][0].split(":")[0]
        yield f"{project}:{'+'.join(suite.split(':')[1] for suite in test['suite'])} / {test['name']}"


def suites_of(name):
    return set(name.split(" / ")[0].split(":")[-1].split("+"))


def absences(folder, wanted):
    """What should have a result and has none. The tests of a suite that is absent are not told one by one."""
    runs = dict(each.split(":") for each in wanted)
    ran, built, absent = set(), set(), set()
    for run, suites in runs.items():
        names = names_run(folder, run)
        found = set().union(*map(suites_of, names))
        for suite in suites.split(","):
            if suite not in found:
                absent.add(suite)
                yield f"{run}: no test of the suite {suite} was run"
        ran |= names
        built |= set(names_built(folder, run))
    yield from (f"{name}: it was not run" for name in sorted(built - ran) if not suites_of(name) & absent)


def main():
    folder = pathlib.Path(sys.argv[1])
    totals = Totals()
    for path in sorted(folder.glob("*.tap")):
        output = path.read_text(encoding="utf-8", errors="replace")
        failed = len(totals.failed)
        totals.add_tap("build", "1..1\n" + output, True)
        if len(totals.failed) > failed:
            print(output.rstrip())
    for path in sorted(folder.glob("*.json")):
        print(f"---- {path.stem}")
        for line in path.read_text(encoding="utf-8").splitlines():
            totals.add_meson(json.loads(line))
    totals.failed += absences(folder, sys.argv[2:])
    for name, why in totals.skipped:
        print(f"skipped: {name}: {why}")
    for name in totals.failed:
        print(f"FAILED: {name}")
    for why, count in collections.Counter(why for _, why in totals.skipped).items():
        print(f"{count} skipped, of which nothing is shown: {why}")
    print(f"{totals.passed} passed, {len(totals.failed)} failed")
    return 1 if totals.failed or totals.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
