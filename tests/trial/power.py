"""The power goes at every sync of two scenarios (power.c), and a drive that lies about its syncs is found out.

usage: power.py POWER

Prints TAP.
"""

import subprocess
import sys

RUNS = (
    ("nothing is lost at any sync of sending", ["--scenario", "send", "--seed", "1", "--some", "8"], 0),
    ("nothing is lost at any sync of receiving", ["--scenario", "receive", "--seed", "2", "--some", "8"], 0),
    ("a drive that does not sync when it is told to loses what was promised",
        ["--scenario", "send", "--seed", "3", "--some", "1000", "--lying"], 1),
)


def main():
    """Runs all of them."""
    print(f"1..{len(RUNS)}", flush=True)
    for number, (name, options, status) in enumerate(RUNS, 1):
        ended = subprocess.run([sys.argv[1], *options], capture_output=True, text=True, check=False)
        well = ended.returncode == status and " points, " in ended.stdout
        print(f"{'ok' if well else 'not ok'} {number} - {name}", flush=True)
        if not well:
            print("".join(f"# {line}\n" for line in (ended.stdout + ended.stderr).splitlines()), end="", flush=True)


if __name__ == "__main__":
    main()
