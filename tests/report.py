"""Adds up the results of ./test, and prints all that a failed test has said.

usage: report.py FOLDER    with NAME.tap (TAP, the results of a build) and NAME.json (meson's log of a run)

The tests that a TAP program reports count one by one; any other program counts as one. A TAP program that
ends badly counts as one failed test more. The last line is `N passed, N failed`.
"""

import json
import pathlib
import re
import sys

TAP_LINE = re.compile(r"^(not )?ok\b\s*(\d*)\s*-?\s*([^#]*)(#\s*SKIP\b)?", re.IGNORECASE)
TAP_PLAN = re.compile(r"^1\.\.(\d+)", re.MULTILINE)


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
            if match.group(4):  # cmocka writes "not ok N # SKIP name" for what is skipped
                self.skipped.append(f"{program}: {line.split('SKIP', 1)[-1].strip()}")
            elif match.group(1):
                self.failed.append(name)
            else:
                self.passed += 1
        plan = TAP_PLAN.search(output)
        if ended_well and plan is not None and plan.group(1) == "0":
            self.skipped.append(program)
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
            self.skipped.append(test["name"])
        elif test["result"] == "OK":
            self.passed += 1
        else:
            self.failed.append(test["name"])
        if len(self.failed) > before:
            print(f"==== {test['name']}: {test['result']}, exit status {test['returncode']}")
            print(output.rstrip())
            print((test.get("stderr") or "").rstrip())


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
    for name in totals.skipped:
        print(f"skipped: {name}")
    for name in totals.failed:
        print(f"FAILED: {name}")
    print(f"{totals.passed} passed, {len(totals.failed)} failed")
    return 1 if totals.failed or totals.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
