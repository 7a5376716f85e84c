"""Runs one of libFuzzer's targets over its corpus and then for a while on inputs of its own.

usage: run.py --target T [--build DIR] [--seconds N | --minutes N] [--tally FILE] [--merge BYTES]
       run.py --target T [--build DIR] --again BASE64

First every input of tests/fuzz/corpus/T and T.seeds (a line each, in base64), once; then new ones for N seconds (20). What
falls is printed in base64, with the command that does it again, and the exit status is 1.

--tally FILE   a campaign: adds up executions and CPU minutes of several sessions in FILE, as long as the program stays
               the same file, and prints the sums in JSON. What was found to reach more is kept in build/fuzz/T and
               gone on with.
--merge BYTES  after N seconds makes the corpus anew: the smallest inputs, of all that were found, that reach as much of
               the code, up to so many bytes in all. T.seeds, chosen by hand for what it means, stays as it is.
"""

import argparse
import base64
import hashlib
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIZE_MAX = 4096
# cmocka's assertions, which some targets share with the unit tests, are to end the program where they fail.
ENVIRONMENT = {**os.environ, "CMOCKA_TEST_ABORT": "1"}


class Target:
    def __init__(self, name, build, temporary):
        self.name = name
        self.program = pathlib.Path(build) / "tests/fuzz" / f"fuzz_{name}"
        self.lines = ROOT / "tests/fuzz/corpus" / name
        self.seeds = temporary / "seeds"
        self.crashes = temporary / "crashes"
        self.seeds.mkdir()
        self.crashes.mkdir()

    def unpack(self):
        files = [path for path in (self.lines, self.lines.with_suffix(".seeds")) if path.exists()]
        lines = [line for path in files for line in path.read_text(encoding="ascii").split()]
        for number, line in enumerate(lines):
            (self.seeds / f"{number:04}").write_bytes(base64.b64decode(line))
        return len(lines)

    def pack(self, folder, size_max):
        lines = sorted((base64.b64encode(path.read_bytes()).decode() for path in folder.iterdir()), key=lambda l: (len(l), l))
        kept, size = [], 0
        for line in lines:
            size += len(line) + 1
            if size > size_max:
                break
            kept.append(line + "\n")
        self.lines.write_text("".join(kept), encoding="ascii")
        print(f"{len(kept)} of {len(lines)} inputs kept, {sum(map(len, kept))} bytes")

    def fuzz(self, *options):
        command = [self.program, f"-artifact_prefix={self.crashes}/", f"-max_len={SIZE_MAX}", "-timeout=120",
            "-rss_limit_mb=4096", "-print_final_stats=1", "-close_fd_mask=1", *options]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace", check=False, env=ENVIRONMENT)
        if done.returncode != 0:
            print(done.stderr[-20000:])
            for path in self.crashes.iterdir():
                print(f"again: tests/fuzz/run.py --target {self.name} --again "
                    f"{base64.b64encode(path.read_bytes()).decode()}")
        return done.returncode, done.stderr


def told(text, name):
    found = re.findall(rf"^stat::{name}:\s+(\d+)", text, re.MULTILINE)
    return int(found[-1]) if found else 0


def count(tally_file, target, program, executions, seconds):
    """Adds a session to the tally, and gives what it says of the target; of another program nothing counts."""
    path = pathlib.Path(tally_file)
    tally = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    sums = tally.get(target.name, {})
    if sums.get("program") != program:
        sums = {"program": program, "executions": 0, "cpu_minutes": 0, "findings": 0}
    sums["executions"] += executions
    sums["cpu_minutes"] = round(sums["cpu_minutes"] + seconds / 60, 2)
    sums["findings"] += len(list(target.crashes.iterdir()))
    tally[target.name] = sums
    path.write_text(json.dumps(tally, indent=1) + "\n", encoding="utf-8")
    return {"target": target.name, **sums}


def cpu_seconds():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(target, asked, temporary):
    known = target.unpack()
    status = 0
    start = time.monotonic()
    if known:
        status, _ = target.fuzz("-runs=1", *sorted(target.seeds.iterdir()))
    elif not asked.merge:
        raise SystemExit(f"{target.lines} holds nothing")
    grown = ROOT / "build/fuzz" / target.name if asked.tally or asked.merge else temporary / "grown"
    grown.mkdir(parents=True, exist_ok=True)
    if status == 0 and asked.seconds > 0:
        before = cpu_seconds()
        program = hashlib.sha256(target.program.read_bytes()).hexdigest()
        # It begins with the corpus once more, and that takes as long as it did.
        seconds = asked.seconds + int(time.monotonic() - start)
        status, text = target.fuzz(f"-max_total_time={seconds}", grown, target.seeds)
        executions = told(text, "number_of_executed_units")
        features = re.findall(r" ft: (\d+)", text)
        if status == 0 and executions < known:
            status = 1
            print("it did not run its corpus")
        print(f"{target.name}: {known} inputs of the corpus, {executions} executions, "
            f"{told(text, 'average_exec_per_sec')} a second, {features[-1] if features else 0} features")
        if asked.tally:
            print(json.dumps(count(asked.tally, target, program, executions, cpu_seconds() - before)))
    if status == 0 and asked.merge:
        smallest = temporary / "smallest"
        smallest.mkdir()
        status, _ = target.fuzz("-merge=1", smallest, grown, target.seeds)
        if status == 0:
            target.pack(smallest, asked.merge)
    return 1 if status else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", required=True)
    parser.add_argument("--build", default=ROOT / "build/sanitize")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--minutes", type=int)
    parser.add_argument("--tally")
    parser.add_argument("--merge", type=int)
    parser.add_argument("--again")
    asked = parser.parse_args()
    if asked.minutes is not None:
        asked.seconds = 60 * asked.minutes
    with tempfile.TemporaryDirectory() as folder:
        target = Target(asked.target, asked.build, pathlib.Path(folder))
        if asked.again is None:
            return run(target, asked, pathlib.Path(folder))
        path = pathlib.Path(folder) / "input"
        path.write_bytes(base64.b64decode(asked.again))
        return 1 if target.fuzz("-runs=1", path)[0] else 0


if __name__ == "__main__":
    sys.exit(main())
