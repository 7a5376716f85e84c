"""The simulator: worlds of posts and couriers under faults, each from one seed.

usage: simulator.py LIAISON_SIM

Prints TAP. Every seed must hold every invariant, and converge after its faults; and a seed replays exactly.
"""

import json
import subprocess
import sys

GROUPS = [("1..10", 2), ("11..18", 2), ("19..20", 3)]
STEPS = 300


def run(simulator, seeds, parties):
    """The result of one run as a dictionary, and what it said besides."""
    arguments = [simulator, "--seeds", seeds, "--steps", str(STEPS), "--parties", str(parties), "--json"]
    finished = subprocess.run(arguments, capture_output=True, text=True, check=False)
    try:
        return json.loads(finished.stdout), finished.stderr
    except json.JSONDecodeError:
        return {}, finished.stdout + finished.stderr


def tell(number, good, name, details):
    """One line of TAP, and why it is not so."""
    print(f"{'ok' if good else 'not ok'} {number} - {name}", flush=True)
    if not good:
        for line in details.splitlines()[-80:]:
            print(f"# {line}", flush=True)


def teaches(simulator):
    """Why the simulator's help or what it says of a wrong command line is of no use; "" where it is."""
    help_of = subprocess.run([simulator, "--help"], capture_output=True, text=True, check=False)
    if help_of.returncode != 0 or help_of.stderr or not all(
            words in help_of.stdout for words in ("--seeds", "--steps", "--parties", "--json", "--trace", "Example: ")):
        return str(help_of)
    for words, *arguments in (
            ("--seeds 5..1: it takes", "--seeds", "5..1"), ("--seeds: it needs a value", "--seeds"), ("--seeds: it is missing",),
            ("--steps many: it takes a number", "--seeds", "1", "--steps", "many"), ("from 2 to 8", "--parties", "9"),
            ("it takes FAULT=N", "--seeds", "1", "--fault", "rain=1"), ("it takes FAULT=N", "--seeds", "1", "--fault", "crash"),
            ("it takes FAULT=N", "--seeds", "1", "--fault", "crash=10001"),
            ("--twice: there is no such option", "--seeds", "1", "--twice")):
        wrong = subprocess.run([simulator, *arguments], capture_output=True, text=True, check=False)
        if wrong.returncode != 2 or wrong.stdout or words not in wrong.stderr or "Try: liaison-sim --help" not in wrong.stderr:
            return str(wrong)
    return ""


def main():
    """Runs all groups, and the first seeds once more."""
    simulator = sys.argv[1]
    print(f"1..{len(GROUPS) + 2}", flush=True)
    for number, (seeds, parties) in enumerate(GROUPS, 1):
        result, details = run(simulator, seeds, parties)
        good = result.get("violations") == 0 and result.get("unconverged") == 0 and result["steps"] > 0
        tell(number, good, f"seeds {seeds} with {parties} parties hold every invariant and converge", details)
    first, details = run(simulator, "5..7", 2)
    second, _ = run(simulator, "5..7", 2)
    same = "digest" in first and first["digest"] == second.get("digest")
    other, _ = run(simulator, "6..8", 2)
    same = same and other.get("digest") != first["digest"]
    tell(len(GROUPS) + 1, same, "a seed replays exactly, and another does not", details)
    why = teaches(simulator)
    tell(len(GROUPS) + 2, not why, "its help teaches, and what is wrong with a command line is said", why)


if __name__ == "__main__":
    main()
