"""tests/mutants.py does what it says, on a few mutants of one small file.

usage: test_mutants.py MUTANTS BUILD

Prints TAP.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

FILE = "envelope/padding.c"
DRAWN = ["--file", FILE, "--sample", "4", "--seed", "3"]
HOLDS = ["--program", "envelope padding"]
BLIND = ["--program", "envelope fingerprint"]  # it pads nothing


def run(mutants, *arguments):
    return subprocess.run(
        [sys.executable, mutants, *map(str, arguments)], capture_output=True, text=True, check=False)


def kills(mutants, build, folder):
    """What a test holds is killed."""
    ended = run(mutants, build, *DRAWN, *HOLDS, "--tally", folder / "holds", "--json")
    result = json.loads(ended.stdout)
    return ended.returncode == 0 and result["judged"] == 4 and result["killed"] >= 2 and result["not_compiled"] == 0, ended


def tells(mutants, build, folder):
    """What no test holds survives, and is told with its place and its line."""
    ended = run(mutants, build, *DRAWN, *BLIND, "--tally", folder / "blind", "--bar", 85)
    lines = ended.stdout.splitlines()
    places = [line for line in lines if line.startswith(f"{FILE}:")]
    before = [line[5:] for line in lines if line.startswith("    -")]
    source = (pathlib.Path(mutants).resolve().parent.parent / FILE).read_text(encoding="utf-8").splitlines()
    good = ended.returncode == 1 and len(places) == 4 and len(before) == 4 and all(line in source for line in before)
    return good and lines[-1].startswith("4 mutants of ") and "0 killed (0.0 %), 4 survive" in lines[-1], ended


def goes_on(mutants, build, folder):
    """What the tally holds is not tried again; --again tries what has survived, and nothing else."""
    first = run(mutants, build, *DRAWN, *BLIND, "--tally", folder / "blind", "--json")
    again = run(mutants, build, *HOLDS, "--tally", folder / "blind", "--again", "--json")
    before = json.loads((folder / "holds").read_text(encoding="utf-8"))["results"]
    after = json.loads((folder / "blind").read_text(encoding="utf-8"))["results"]
    return json.loads(first.stdout)["killed"] == 0 and json.loads(again.stdout)["judged"] == 4 and before == after, again


def draws(mutants, build, _):
    """The same seed draws the same mutants, and another does not."""
    one, same, other = (
        run(mutants, build, "--list", "--sample", 20, "--seed", seed).stdout for seed in (5, 5, 6))
    return one == same and one != other and len(one.splitlines()) >= 60, one


def teaches(mutants, build, _):
    """Its help teaches, and what is wrong with a command line is said."""
    told = run(mutants, "--help")
    wrong = run(mutants, build, "--twice")
    nowhere = run(mutants, build, "--file", "carry/crc.c")
    good = told.returncode == 0 and all(words in told.stdout for words in ("usage:", "--sample N", "--again", "Examples:"))
    good = good and wrong.returncode == 2 and "Try:" in wrong.stderr
    return good and nowhere.returncode != 0 and "carry/crc.c: no file of" in nowhere.stderr, wrong


def main():
    mutants, build = sys.argv[1:]
    tests = [kills, tells, goes_on, draws, teaches]
    print(f"1..{len(tests)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for number, test in enumerate(tests, 1):
            good, why = test(mutants, build, pathlib.Path(folder))
            name = test.__doc__.replace(":", ",").rstrip(".")
            print(f"{'ok' if good else 'not ok'} {number} - {name}", flush=True)
            if not good:
                print(f"# {why}".replace("\n", "\n# "), flush=True)


if __name__ == "__main__":
    main()
