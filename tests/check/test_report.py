"""What ./test counts is what happened: tests/report.py over made-up logs.

usage: test_report.py REPORT

Prints TAP.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

PASSES = "1..2\nok 1 - a\nok 2 - b\n"

# What it says, one meson test, the last line of the report.
CASES = [
    ("passing subtests count one by one", {"stdout": PASSES}, "3 passed, 0 failed"),
    ("a failed subtest counts", {"stdout": "1..2\nok 1 - a\nnot ok 2 - b\n", "returncode": 1},
        "2 passed, 1 failed"),
    ("a failed subtest counts though the program ends well", {"stdout": "1..1\nnot ok 1 - a\n"},
        "1 passed, 1 failed"),
    ("a program that dies after its tests fails", {"stdout": PASSES, "returncode": -6, "result": "ERROR"},
        "3 passed, 1 failed"),
    ("a program that reports fewer tests than planned fails", {"stdout": "1..3\nok 1 - a\n"},
        "2 passed, 1 failed"),
    ("a program that dies before its plan fails", {"stdout": "", "returncode": 1, "result": "ERROR"},
        "1 passed, 1 failed"),
    ("a program that takes too long fails", {"stdout": PASSES, "result": "TIMEOUT"}, "1 passed, 1 failed"),
    ("a skipped subtest is neither", {"stdout": "1..2\nok 1 - a\nnot ok 2 # SKIP b\n", "result": "FAIL"},
        "2 passed, 0 failed"),
    ("a program that skips all is neither", {"stdout": "1..0 # SKIP why\n", "result": "SKIP"},
        "1 passed, 0 failed"),
    ("a program without subtests counts as one", {"stdout": "done"}, "2 passed, 0 failed"),
    ("a program without subtests that fails counts as one", {"returncode": 1, "result": "FAIL"},
        "1 passed, 1 failed"),
    ("what a failed test has said is shown", {"stdout": "1..1\nnot ok 1 - a\n# why\n", "stderr": "where"},
        "1 passed, 1 failed"),
]


# What it says, the suites that one run was to have, what it ran, what its build has, what the report says is missing.
ABSENCES = [
    ("all that was to run was run", "unit,vectors", ["unit+vectors / a", "unit / b"], ["unit / b", "unit+vectors / a"], []),
    ("a suite without a result fails", "unit,scenario", ["unit / a"], ["unit / a", "scenario / b"],
        ["run: no test of the suite scenario was run"]),
    ("a suite is not another that begins like it", "unit", ["unit2 / a"], [], ["run: no test of the suite unit was run"]),
    ("a run without a result fails by each of its suites", "check,shipped", None, None,
        ["run: no test of the suite check was run", "run: no test of the suite shipped was run"]),
    ("a test that was built and not run fails", "unit", ["unit / a"], ["unit / a", "unit / b", "other / a"],
        ["liaison:other / a: it was not run", "liaison:unit / b: it was not run"]),
]

# What it says, the output of one meson test, the line of the report above its last.
SKIPS = [
    ("how many were skipped is said, and why", "1..3\nok 1 - a\nok 2 - b # SKIP no b here\nok 3 - c # SKIP no b here\n",
        "2 skipped, of which nothing is shown: no b here"),
    ("cmocka's own way of skipping gives no reason", "1..2\nok 1 - a\nnot ok 2 # SKIP b\n",
        "1 skipped, of which nothing is shown: it does not say why"),
    ("a program that skips all says why", "1..0 # SKIP no b here\n", "1 skipped, of which nothing is shown: no b here"),
    ("nothing is said of skips where there are none", PASSES, "---- run"),
]


def report_of_absences(program, suites, ran, built):
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "build.tap").write_text("ok 1 - it builds\n", encoding="utf-8")
        if ran is not None:
            results = [{"name": f"liaison:{name}", "result": "OK", "returncode": 0} for name in ran]
            pathlib.Path(folder, "run.json").write_text("\n".join(map(json.dumps, results)), encoding="utf-8")
        if built is not None:
            tests = [{"name": name.split(" / ")[1], "suite": [f"liaison:{suite}" for suite in name.split(" / ")[0].split("+")]}
                     for name in built]
            pathlib.Path(folder, "run.tests").write_text(json.dumps(tests), encoding="utf-8")
        return subprocess.run([sys.executable, program, folder, f"run:{suites}"], capture_output=True, text=True, check=False)


def report(program, build, test):
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "build.tap").write_text(build, encoding="utf-8")
        if test is not None:
            entry = {"name": "made up", "result": "OK", "returncode": 0, "stdout": "", "stderr": ""} | test
            pathlib.Path(folder, "run.json").write_text(json.dumps(entry) + "\n", encoding="utf-8")
        return subprocess.run([sys.executable, program, folder], capture_output=True, text=True, check=False)


def main():
    program = sys.argv[1]
    results = []
    for title, test, last in CASES:
        done = report(program, "ok 1 - it builds\n", test)
        said = test.get("stdout", "") + test.get("stderr", "")
        shown = all(line in done.stdout for line in said.split("\n"))
        good = done.stdout.splitlines()[-1] == last
        good = good and (done.returncode == 0) == last.endswith(" 0 failed")
        results.append((title, good and (shown or last.endswith(" 0 failed")), done.stdout))
    for title, output, line in SKIPS:
        done = report(program, "ok 1 - it builds\n", {"stdout": output})
        results.append((title, done.returncode == 0 and done.stdout.splitlines()[-2] == line, done.stdout))
    for title, suites, ran, built, missing in ABSENCES:
        done = report_of_absences(program, suites, ran, built)
        last = f"{1 + len(ran or [])} passed, {len(missing)} failed"
        lines = done.stdout.splitlines()
        good = lines[-1:] == [last] and [line for line in lines if "FAILED" in line] == [f"FAILED: {each}" for each in missing]
        results.append((title, good and done.returncode == (1 if missing else 0), done.stdout + done.stderr))
    done = report(program, "not ok 1 - it builds\n# a warning\n", None)
    results.append(("a build that fails counts and is shown", done.returncode == 1
        and "# a warning" in done.stdout and done.stdout.endswith("\n0 passed, 1 failed\n"), done.stdout))
    done = report(program, "", None)
    results.append(("nothing at all is a failure", done.returncode == 1, done.stdout))
    print(f"1..{len(results)}")
    for number, (title, good, output) in enumerate(results, 1):
        print(f"{'ok' if good else 'not ok'} {number} - {title}")
        if not good:
            print("".join(f"# {line}\n" for line in output.splitlines()), end="")
    return 0 if all(good for _, good, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main())
