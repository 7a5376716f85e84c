"""Runs a test program and passes on its TAP as others read it: usage: tap_skips.py PROGRAM

cmocka writes `not ok N # SKIP NAME` for a test that is skipped, which to meson is one that failed. The standard form is
`ok N - NAME # SKIP WHY`; WHY is what the test printed last as `# skipped: WHY`. The exit status is the program's.
"""

import re
import subprocess
import sys


def main():
    why = ""
    with subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, encoding="utf-8", errors="replace") as program:
        for line in program.stdout:
            said = re.match(r"# skipped: (.*)", line)
            skipped = re.match(r"not ok (\d+) # SKIP (.*)", line)
            if said:
                why = said.group(1)
            if skipped:
                line = f"ok {skipped.group(1)} - {skipped.group(2)} # SKIP {why}\n"
            print(line, end="", flush=True)
    return program.returncode if program.returncode >= 0 else 128 - program.returncode


if __name__ == "__main__":
    sys.exit(main())
