"""bench-line measures a line of real daemons: a short run, whose figures must be there and sizes within their bars.

usage: bench_line.py BENCH_LINE

Prints TAP. Speeds are not judged: in a build with sanitizers, or on a busy machine, they mean nothing.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

# Each with the largest value that it may have; None: any above zero.
FIGURES = {
    "exchanges_per_s": None,
    "floor_per_s": None,
    "single_receipt_exchanges_per_s": None,
    "exchange_ms_p50": None,
    "exchange_ms_p99": None,
    "sealed_message_bytes": 360,
    "sealed_receipt_bytes": 220,
    "session_bytes": 1000,
}
DAEMONS = {"liaisond", "liaison-courierd"}
EXCHANGES = 200


def run(program, *arguments):
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=280, check=False)


def check_report(result):
    if result.returncode != 0:
        return [f"it ended with {result.returncode}"]
    report = json.loads(result.stdout)
    wrong = []
    for name, most in FIGURES.items():
        value = report.get(name)
        if not isinstance(value, (int, float)) or value <= 0 or (most is not None and value > most):
            wrong.append(f"{name} is {value}, at most {most}")
    memory = report.get("rss_idle_kib", {})
    if set(memory) != DAEMONS or min(memory.values()) <= 0:
        wrong.append(f"rss_idle_kib is {memory}")
    if report.get("exchanges") != EXCHANGES:
        wrong.append(f"{report.get('exchanges')} messages were exchanged, not {EXCHANGES}")
    if report.get("single_receipt_exchanges_per_receipt") != 1:
        wrong.append("one message at a time did not give one receipt for each")
    return wrong


def memory_directory():
    """Some directory that is in memory only, or None."""
    for line in pathlib.Path("/proc/mounts").read_text(encoding="utf-8").splitlines():
        _, place, kind, *_ = line.split(" ")
        if kind == "tmpfs" and pathlib.Path(place).is_dir():
            return place
    return None


def check_memory_only(program, directory):
    result = run(program, "--dir", directory)
    if result.returncode == 1 and "in memory" in result.stderr:
        return []
    return [f"it ended with {result.returncode}", *result.stderr.splitlines()]


def check_arguments(program):
    result = run(program, "--exchanges", "many")
    return [] if result.returncode == 2 and "--exchanges" in result.stderr else [result.stderr]


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory(prefix="bl", dir="/var/tmp") as directory:
        result = run(program, "--json", "--exchanges", str(EXCHANGES), "--seconds", "20", "--dir", directory)
        left = subprocess.run(["ls", "-A", directory], capture_output=True, text=True, check=True).stdout
    wrong = check_report(result) + ([f"left behind: {left}"] if left else [])
    outcomes = [
        ("a line of real daemons is measured, its sizes are within their bars", wrong, result.stderr),
        ("a wrong argument is refused with a sentence", check_arguments(program), ""),
    ]
    memory = memory_directory()
    if memory is not None:
        outcomes.append(
            ("a directory in memory is refused with a sentence", check_memory_only(program, memory), ""))
    print(f"1..{len(outcomes)}")
    for number, (title, found, said) in enumerate(outcomes, 1):
        print(f"{'not ok' if found else 'ok'} {number} - {title}")
        for line in found + (said.splitlines() if found else []):
            print(f"# {line}")
    return 1 if any(found for _, found, _ in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
