"""Planted bugs: does what tries the line see each of them?

usage: planted.py PATCHES PROGRAMS LIAISON_SIM

Each PATCHES/NAME.patch plants one bug, and PROGRAMS/planted_NAME is a program that has it (-Dplanted_bugs=true). Above
the patch stand

  Bug: what is wrong with it
  Falls: the invariants that it may break, with | between them, as the simulator says them ("it converges" for the end);
         or the test that must fail
  Program: liaison-sim and its options; or the file of a unit test

The simulator runs one seed after the other until one breaks something. That must be an invariant which the patch
names, and the same seed must hold without the bug. Prints TAP, a test for each bug.
"""

import os
import pathlib
import re
import subprocess
import sys

SEEDS_MAX = 40
SECONDS_MAX = 120
VIOLATED = re.compile(r"^seed \d+, step \d+: violated: ([^:]*):", re.MULTILINE)
NOT_CONVERGED = re.compile(r"^seed \d+, step \d+: not converged$", re.MULTILINE)


def read_head(patch):
    """What stands above the patch: its fields by their names. A line that is indented goes on with the one before."""
    fields = {}
    name = None
    for line in patch.read_text(encoding="utf-8").split("\n--- ")[0].splitlines():
        if line.startswith(" ") and name:
            fields[name] += " " + line.strip()
        elif ": " in line:
            name, fields[name] = line.split(": ", 1)[0], line.split(": ", 1)[1]
    if sorted(fields) != ["Bug", "Falls", "Program"]:
        raise SystemExit(f"{patch}: Bug, Falls and Program stand above a patch, and no more")
    return fields


def run(command):
    """Its exit status, None if it did not end in time, and what it said."""
    environment = {**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP"}
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, timeout=SECONDS_MAX, env=environment)
    except subprocess.TimeoutExpired:
        return None, ""
    return ended.returncode, ended.stdout + ended.stderr


def try_simulator(program, simulator, options, falls):
    """Why the simulator did not do what it should; "" where it did."""
    for seed in range(1, SEEDS_MAX + 1):
        arguments = [*options, "--seeds", str(seed)]
        status, said = run([program, *arguments])
        if status == 0:
            continue
        violated = VIOLATED.search(said)
        broken = violated.group(1) if violated else "it converges" if NOT_CONVERGED.search(said) else f"exit status {status}"
        if broken not in falls:
            return f"seed {seed} broke: {broken}"
        if run([simulator, *arguments])[0] != 0:
            return f"seed {seed} breaks without the bug, too"
        return ""
    return f"{SEEDS_MAX} seeds have not shown it"


def try_test(program, falls):
    """Why the unit test did not fail where it should; "" where it did."""
    said = run([program])[1]
    failed = re.findall(r"^not ok \d+ - (\w+)$", said, re.MULTILINE)
    return "" if set(failed) & set(falls) else f"failed: {', '.join(failed) or 'nothing'}"


def main():
    """Tries all patches there are."""
    patches, programs, simulator = map(pathlib.Path, sys.argv[1:])
    found = sorted(patches.glob("*.patch"))
    print(f"1..{len(found)}", flush=True)
    for number, patch in enumerate(found, 1):
        head = read_head(patch)
        falls = [name.strip() for name in head["Falls"].split("|")]
        words = head["Program"].split()
        program = programs / f"planted_{patch.stem}"
        if words[0] == "liaison-sim":
            why = try_simulator(program, simulator, words[1:], falls)
        else:
            why = try_test(program, falls)
        print(f"{'not ok' if why else 'ok'} {number} - {patch.stem} is caught", flush=True)
        if why:
            print(f"# {head['Bug']}\n# {why}", flush=True)


if __name__ == "__main__":
    main()
