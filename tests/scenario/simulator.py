"""The simulator: worlds of posts and couriers under faults, each from one seed.

usage: simulator.py LIAISON_SIM
       simulator.py --digest LIAISON_SIM LIAISON_SIM_PLAIN
       simulator.py --shrink PLANTED LIAISON_SIM

Prints TAP. Every seed must hold every invariant, and converge after its faults; all kinds of faults must happen; and a seed
replays exactly. With --digest: it comes to the same with every compiler and at every optimization, which is what PINNED says it
comes to. With --shrink: a seed that fails, for PLANTED has a bug, becomes a short trace, and the command that is told replays it.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

# Seeds, parties, steps until the faults end in each, and other options: one party is hostile in some seeds anyway, and in these.
HOSTILE = [f"--fault={name}" for name in ("forge=3000", "equivocate=1000", "withhold=300", "flood=100", "fork=200", "flee=50")]
GROUPS = [
    ("1..170", 2, 300, []), ("171..200", 2, 300, HOSTILE), ("201..260", 3, 200, []), ("261..270", 3, 200, HOSTILE),
    ("271..292", 4, 150, []), ("293..298", 6, 100, []), ("299..300", 8, 100, [])]
KEYS = {
    "seeds", "violations", "unconverged", "real_crypto_seeds", "steps", "steps_per_s", "simulated_years", "digest", "faults",
    "refusals"}

# What these come to. A change of the record, of the couriers' core or of the simulator changes them: then put here what the
# failed test says, once it says the same in build/release (gcc) and build/sanitize (clang).
PINNED = [("1..6", 2, 300, "32ec1add292919b3"), ("15..17", 3, 200, "7efcdded26cf39ad")]


def run(simulator, seeds, parties, steps, *more):
    """The result of one run as a dictionary, and what it said besides."""
    arguments = [simulator, "--seeds", seeds, "--steps", str(steps), "--parties", str(parties), "--json", *more]
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
    words_of = ("--seeds", "--steps", "--parties", "--json", "--trace", "--crypto", "--tally", "--only", "--shrink", "Example: ")
    if help_of.returncode != 0 or help_of.stderr or not all(words in help_of.stdout for words in words_of):
        return str(help_of)
    for words, *arguments in (
            ("--seeds 5..1: it takes", "--seeds", "5..1"), ("--seeds: it needs a value", "--seeds"), ("--seeds: it is missing",),
            ("--steps many: it takes a number", "--seeds", "1", "--steps", "many"), ("from 2 to 8", "--parties", "9"),
            ("it takes FAULT=N", "--seeds", "1", "--fault", "rain=1"), ("it takes FAULT=N", "--seeds", "1", "--fault", "crash"),
            ("it takes FAULT=N", "--seeds", "1", "--fault", "crash=10001"),
            ("--twice: there is no such option", "--seeds", "1", "--twice"),
            ("--only 5,3: it takes", "--seeds", "1", "--only", "5,3"), ("--only 7..5: it takes", "--seeds", "1", "--only", "7..5"),
            ("--only: with --tally", "--seeds", "1", "--only", "3", "--tally", "/nowhere/tally"),
            ("it takes real or stand-in", "--seeds", "1", "--crypto", "fast")):
        wrong = subprocess.run([simulator, *arguments], capture_output=True, text=True, check=False)
        if wrong.returncode != 2 or wrong.stdout or words not in wrong.stderr or "Try: liaison-sim --help" not in wrong.stderr:
            return str(wrong)
    return ""


def count(seeds):
    """How many there are in A..B, and how many of them have the real cryptography."""
    first, last = map(int, seeds.split(".."))
    return last - first + 1, sum(seed % 16 == 0 for seed in range(first, last + 1))


def holds(result, seeds):
    """True if a run of these seeds went well."""
    return (result.keys() >= KEYS and (result["seeds"], result["real_crypto_seeds"]) == count(seeds)
        and (result["violations"], result["unconverged"]) == (0, 0) and result["steps"] > 0 and result["steps_per_s"] > 0)


def replays(simulator):
    """Why a seed does not replay exactly, or the cryptography makes no difference; "" where it is as it should be."""
    first, details = run(simulator, "5..7", 2, 300)
    second, _ = run(simulator, "5..7", 2, 300)
    if "digest" not in first or first["digest"] != second.get("digest"):
        return details + str(first) + str(second)
    for others in (run(simulator, "6..8", 2, 300), run(simulator, "5..7", 2, 300, "--crypto", "real")):
        if others[0].get("digest", first["digest"]) == first["digest"]:
            return f"{first} {others}"
    forced = [run(simulator, "15..16", 2, 100, "--crypto", which)[0].get("real_crypto_seeds") for which in ("real", "stand-in")]
    return "" if forced == [2, 0] else f"seeds with real cryptography: {forced}"


def adds_up(simulator):
    """Why the parts of a campaign do not add up to what it is in one; "" where they do."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, "tally")
        tally = ("--tally", str(file))
        run(simulator, "3..4", 2, 100, *tally)
        run(simulator, "1..3", 2, 100, "--crypto", "real", *tally)  # another campaign
        with file.open("ab") as cut:
            cut.write(b"a line that was cut")
        parts, details = run(simulator, "1..6", 2, 100, *tally)
        lines = file.read_text(encoding="utf-8").count("\n")
        again, _ = run(simulator, "2..5", 2, 100, *tally)
        whole, _ = run(simulator, "1..6", 2, 100)
    for result in (parts, again, whole):
        result.pop("steps_per_s", None)
    good = whole.get("seeds") == 6 and parts == whole and again == whole and lines == 2 + 3 + 1 + 4
    return "" if good else f"{details}{parts} {again} {whole}, {lines} lines"


def check_digests(simulators):
    """The pinned seeds, by each build of the simulator."""
    print(f"1..{len(PINNED) * len(simulators)}", flush=True)
    number = 0
    for simulator in simulators:
        for seeds, parties, steps, pinned in PINNED:
            number += 1
            result, details = run(simulator, seeds, parties, steps)
            name = f"{pathlib.Path(simulator).name}: seeds {seeds} with {parties} parties come to what they come to elsewhere"
            tell(number, holds(result, seeds) and result["digest"] == pinned, name, f"{result}\n{details}")


def leaves_out(simulator):
    """Why faults are not left out by their numbers; "" where they are."""
    some, details = run(simulator, "7", 2, 300, "--only", "3,5..9,2000000")
    none, _ = run(simulator, "7", 2, 300, "--only", "0")
    counts = [sum(result.get("faults", {"": -1}).values()) for result in (some, none)]
    return "" if counts == [6, 0] else f"{details}{some} {none}"


def all_happened(results):
    """The kinds of faults that never did; tells which reasons for refusing were never given."""
    refusals = {name for result in results for name, number in result.get("refusals", {}).items() if number}
    never = {name for result in results for name in result.get("refusals", {})} - refusals
    print(f"# refused: {len(refusals)} reasons; never: {', '.join(sorted(never)) or 'none'}", flush=True)
    kinds = {name for result in results for name in result.get("faults", {})}
    missed = kinds - {name for result in results for name, number in result.get("faults", {}).items() if number}
    return "" if kinds and not missed else f"never: {', '.join(sorted(missed))}"


def shrinks(planted, simulator):
    """Why a failing seed does not become a short trace, or the command does not replay it; "" where all is well."""
    whole = subprocess.run([planted, "--seeds", "1..8", "--steps", "2000"], capture_output=True, text=True, check=False)
    fallen = re.search(r"^seed (\d+), step (\d+): violated: ([^:]*):", whole.stderr, re.MULTILINE)
    if not fallen:
        return f"nothing fell: {whole}"
    seed, step, invariant = fallen.groups()
    short = subprocess.run(
        [planted, "--seeds", seed, "--steps", "2000", "--shrink", "--json"], capture_output=True, text=True, check=False)
    told = re.search(r"shrunk in \d+ runs: 2 parties, (\d+) steps, (\d+) faults\n(.*)\nreplay: liaison-sim (.*) --trace\n",
        short.stderr, re.DOTALL)
    if not told or short.returncode != 1 or json.loads(short.stdout)["violations"] != 1:
        return str(short)
    steps, faults, trace, command = told.groups()
    if int(steps) > int(step) or int(faults) > 8 or len(trace.splitlines()) > 40 or f"VIOLATION: {invariant}" not in trace:
        return f"it fell at step {step}, and then: {short.stderr}"
    again = subprocess.run([planted, *command.split(), "--trace"], capture_output=True, text=True, check=False)
    healthy = subprocess.run([simulator, *command.split()], capture_output=True, text=True, check=False)
    good = trace in again.stdout and f"violated: {invariant}" in again.stderr and healthy.returncode == 0
    return "" if good else f"{again} {healthy}"


def main():
    """Runs all groups, and the first seeds once more."""
    if sys.argv[1] == "--digest":
        check_digests(sys.argv[2:])
        return
    if sys.argv[1] == "--shrink":
        why = shrinks(*sys.argv[2:])
        print("1..1", flush=True)
        tell(1, not why, "a failing seed shrinks to a short trace, which is replayed", why)
        return
    simulator = sys.argv[1]
    results = []
    print(f"1..{len(GROUPS) + 5}", flush=True)
    for number, (seeds, parties, steps, options) in enumerate(GROUPS, 1):
        result, details = run(simulator, seeds, parties, steps, *[word for option in options for word in option.split("=", 1)])
        results.append(result)
        tell(number, holds(result, seeds), f"seeds {seeds} with {parties} parties hold every invariant and converge",
            f"{result}\n{details}")
    why = all_happened(results)
    tell(len(GROUPS) + 1, not why, "all kinds of faults happened", why)
    for number, (name, look) in enumerate((
            ("a seed replays exactly, another does not, nor does it with other cryptography", replays),
            ("faults are left out by their numbers", leaves_out),
            ("the parts of a campaign add up", adds_up),
            ("its help teaches, and what is wrong with a command line is said", teaches)), len(GROUPS) + 2):
        why = look(simulator)
        tell(number, not why, name, why)


if __name__ == "__main__":
    main()
