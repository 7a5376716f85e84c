"""The pure wings call nothing that has an effect, and keep no state (doc/HACKING.md).

usage: purity.py ALLOW NAME=LIBRARY...

The libraries are static, built without sanitizers, and given with the lower wings first. Every symbol that a
library leaves undefined must be defined in a library that its wing may use, or stand in the file ALLOW. No
library may hold writable data.

A line of ALLOW is `symbol wings reason`: wings is `any`, or names joined with commas; the reason is the rest.

Prints TAP: two tests for each library.
"""

import subprocess
import sys

LOWER_WINGS = {"base": [], "envelope": ["base"], "record": ["base", "envelope"], "carry": ["base"]}

# Types of nm: initialised, zeroed and common data that may be written.
WRITABLE = set("BbCcDdGgSsVv")
# Data that holds only addresses, written once by the loader, before any code runs.
RELOCATED = ".data.rel.ro"


def symbols(library):
    """(object, type, symbol) of each symbol in the library."""
    output = subprocess.run(["nm", "-A", library], capture_output=True, text=True, check=True).stdout
    for line in output.splitlines():
        place, rest = line.rsplit(":", 1)
        fields = rest.split()
        yield place.rsplit("/", 1)[-1].rsplit(":", 1)[-1], fields[-2], fields[-1]


def relocated_only(library):
    """(object, symbol) of the data in sections that nothing but the loader writes."""
    output = subprocess.run(["objdump", "-t", library], capture_output=True, text=True, check=True).stdout
    place = ""
    for line in output.splitlines():
        if "file format" in line:
            place = line.split(":")[0].rsplit("/", 1)[-1]
        elif RELOCATED in line:
            yield place, line.split()[-1]


def read_allowed(path):
    """{wing: set of symbols} from the file; a line without a reason ends the program."""
    allowed = {wing: set() for wing in LOWER_WINGS}
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        fields = line.split("#")[0].split(None, 2)
        if not fields:
            continue
        if len(fields) < 3:
            raise SystemExit(f"{path}:{number}: symbol, wings and a reason are needed")
        wings = list(LOWER_WINGS) if fields[1] == "any" else fields[1].split(",")
        for wing in wings:
            allowed[wing].add(fields[0])
    return allowed


def main():
    allowed = read_allowed(sys.argv[1])
    libraries = dict(argument.split("=", 1) for argument in sys.argv[2:])
    found = {wing: list(symbols(path)) for wing, path in libraries.items()}
    defined = {wing: {name for _, kind, name in found[wing] if kind in "TRDBVW"} for wing in found}
    results = []
    for wing, path in libraries.items():
        known = set(allowed[wing]).union(defined[wing], *(defined[lower] for lower in LOWER_WINGS[wing]))
        undefined = {(place, name) for place, kind, name in found[wing] if kind in "Uvw"}
        if not undefined or not defined[wing]:
            raise SystemExit(f"{path}: no symbols: is this a static library?")
        results.append((f"{wing} calls nothing but lower wings and what is allowed",
            [f"{place}: {name}" for place, name in sorted(undefined) if name not in known]))
        relocated = set(relocated_only(path))
        results.append((f"{wing} holds no writable data",
            [f"{place}: {name}" for place, kind, name in found[wing]
                if kind in WRITABLE and (place, name) not in relocated]))
    print(f"1..{len(results)}")
    for number, (title, broken) in enumerate(results, 1):
        print(f"{'not ok' if broken else 'ok'} {number} - {title}")
        for line in broken:
            print(f"# {line}")
    return 1 if any(broken for _, broken in results) else 0


if __name__ == "__main__":
    sys.exit(main())
