"""Which small changes to the code do the tests miss?

usage: /usr/bin/python3 tests/mutants.py BUILD [--file FILE]... [--sample N] [--seed S] [--tally FILE] [--again]
                                         [--program NAME]... [--simulate A..B] [--bar PERCENT] [--list] [--json]

Each mutant is one small change to one file of record/ or envelope/: a condition negated, a check dropped, a comparison or
a constant off by one, && and || swapped, a call left out. Its object is compiled and stands before the static libraries
when a test program of its wing (its unit tests, as BUILD has them) is linked again, so that the programs run with it and
nothing in BUILD changes. The mutant is killed as soon as one of them fails, dies or does not end in time; else it
survives, and is shown with its place and its line: either no test holds what it breaks, or it breaks nothing.

  BUILD           a build without sanitizers and with tests: tools/build release -Dtests=enabled
  --file FILE     only mutants of this file (record/receive.c); may be given again
  --sample N      N of them, drawn by --seed (1); the same seed draws the same as long as the code is the same
  --tally FILE    keeps what was found, and goes on where an earlier run was ended; another code or other tests: it is
                  begun anew, but for --again
  --again         only those that survived in the tally, whatever has become of the tests since
  --program NAME  only these of the wing's test programs ("record hostile")
  --simulate A..B what survives meets these seeds of the simulator, too (--steps 300)
  --bar PERCENT   exit status 1 where a smaller share is killed
  --list          only tell the mutants
  --json          one object at the end, for programs
  --help          this text

Mutants that change nothing that anybody could see are listed with the reason in tests/mutants.equivalent and not made.

Examples:
  /usr/bin/python3 tests/mutants.py build/release --file record/receive.c --sample 20
  nice -n 19 /usr/bin/python3 tests/mutants.py build/release --sample 400 --seed 7 --tally mutants.json
"""

import argparse
import dataclasses
import difflib
import fnmatch
import hashlib
import json
import os
import pathlib
import random
import re
import resource
import shlex
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WINGS = ("record", "envelope")
EQUIVALENT = ROOT / "tests" / "mutants.equivalent"
MEMORY_MAX = 4 << 30
OUTPUT_MAX = 64 << 20
SLOWER_MAX = 6  # a program that takes so many times as long as without the mutant will not end
SECONDS_MIN = 5
SECONDS_GUESSED = 3

TOKEN = re.compile(
    r"->|<<=|>>=|<<|>>|<=|>=|==|!=|&&|\|\||\+\+|--|[-+*/%&|^]=|[A-Za-z_]\w*|0[xX][0-9a-fA-F]+[uUlL]*|\d+[uUlL]*|\S")
LITERALS = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)
SWAPS = {
    "==": "!=", "!=": "==", "<": "<=", "<=": "<", ">": ">=", ">=": ">", "&&": "||", "||": "&&",
    "true": "false", "false": "true", "PRECEDENCE_FLASH": "PRECEDENCE_ROUTINE", "PRECEDENCE_ROUTINE": "PRECEDENCE_FLASH"}
NOT_OK = re.compile(rb"^not ok\b(?!.*# SKIP)", re.MULTILINE)
KEYWORDS = {"return", "if", "while", "for", "switch", "case", "else", "do", "sizeof", "goto", "break", "continue", "assert"}
LEAVES = {"return", "continue", "break", "goto"}


@dataclasses.dataclass(frozen=True)
class Mutant:
    file: str
    start: int
    end: int
    text: str  # in the place of start..end
    kind: str
    line: int

    def name(self):
        return f"{self.file}:{self.line}: {self.kind} at {self.start}"


# ---- making mutants ----


def blank_literals(text):
    """C source with comments and literals as spaces, each character where it was."""
    return LITERALS.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), text)


def bodies(text):
    """Where functions begin and end: by the house's style a brace alone in the first column."""
    start = None
    for match in re.finditer(r"^([{}])$", text, re.MULTILINE):
        if match.group(1) == "{":
            start = match.end()
        elif start is not None:
            yield start, match.start()
            start = None


class Body:
    """The tokens of one function, and the changes to it."""

    def __init__(self, text, start, end):
        self.tokens = [(match.group(0), match.start(), match.end()) for match in TOKEN.finditer(text, start, end)]
        self.words = [word for word, _, _ in self.tokens]
        self.asserted = set()
        for at, word in enumerate(self.words):
            if word in ("assert", "static_assert", "_Static_assert"):
                self.asserted.update(range(at, self.closing(at + 1) + 1))

    def closing(self, at):
        """The index of the parenthesis that ends what begins at `at`."""
        depth = 0
        for index in range(at, len(self.words)):
            depth += {"(": 1, ")": -1}.get(self.words[index], 0)
            if depth == 0:
                return index
        return len(self.words) - 1

    def span(self, first, last):
        return self.tokens[first][1], self.tokens[last][2]

    def takes_one_of_two(self, at):
        """Of `a < b ? a : b` and `a < b ? b : a`, either is right where both are the same."""
        if self.words[at] not in ("<", "<=", ">", ">=") or "?" not in self.words[at:] or ":" not in self.words[at:]:
            return False
        question, colon = self.words.index("?", at), self.words.index(":", at)
        right, first, rest = self.words[at + 1:question], self.words[question + 1:colon], self.words[colon + 1:]
        for size in range(1, min(at, 8) + 1):
            left = self.words[at - size:at]
            for one, other in ((left, right), (right, left)):
                if first == one and rest[:len(other)] == other and rest[len(other)] in (";", ")", ",", "}"):
                    return True
        return False

    def swaps(self, at):
        word, before = self.words[at], self.words[at - 1] if at > 0 else ";"
        if self.takes_one_of_two(at):
            return
        if word in SWAPS:
            yield (*self.span(at, at), SWAPS[word], "swapped")
        elif word in "+-" and (re.match(r"\w|[)\]]", before) and before not in KEYWORDS):
            yield (*self.span(at, at), "-" if word == "+" else "+", "swapped")

    def constants(self, at):
        match = re.match(r"(0[xX][0-9a-fA-F]+|\d+)([uUlL]*)$", self.words[at])
        if not match or self.words[at - 1:at + 2] == ["{", self.words[at], "}"]:
            return
        is_size = self.words[at - 1] == "[" and self.words[at + 1] == "]" and at > 2 and (
            re.match(r"[A-Za-z_*]", self.words[at - 3]) and self.words[at - 3] not in KEYWORDS)
        if not is_size:
            yield (*self.span(at, at), f"{int(match.group(1), 0) + 1}{match.group(2)}", "off by one")

    def conditions(self, at):
        if self.words[at] != "if":
            return
        end = self.closing(at + 1)
        start, stop = self.tokens[at + 1][2], self.tokens[end][1]
        inside = self.words[at + 2:end]
        simple = sum(word in ("==", "!=", "&&", "||", "<", ">", "<=", ">=") for word in inside) == 1
        if not (simple and ("==" in inside or "!=" in inside)):  # that is the comparison swapped
            yield start, start, "!(", "negated", stop
        follows = self.words[end + 1]
        leaves = follows in LEAVES or (follows == "{" and self.words[end + 2] in LEAVES)
        if leaves and "else" not in self.words[end + 1:end + 30]:
            yield start, start, "(", "check dropped", stop

    def calls(self, at):
        """A statement that is a call and nothing else."""
        begins = at == 0 or self.words[at - 1] in ";{}"
        word = self.words[at]
        if not begins or not re.match(r"[A-Za-z_]", word) or word in KEYWORDS or self.words[at + 1:at + 2] != ["("]:
            return
        end = self.closing(at + 1)
        if self.words[end + 1:end + 2] == [";"]:
            yield (*self.span(at, end), "", "call dropped")


def mutants_of(name):
    """All mutants of one file, in order of their places. A condition is wrapped: its text stands in the change."""
    text = (ROOT / name).read_text(encoding="utf-8")
    blanked = blank_literals(text)
    found = []

    def add(start, end, change, kind):
        found.append(Mutant(name, start, end, change, kind, text.count("\n", 0, start) + 1))

    for match in re.finditer(r"^#define \w+[ \t]+(?:UINT64_C\()?(\d+)", blanked, re.MULTILINE):
        add(match.start(1), match.end(1), str(int(match.group(1)) + 1), "off by one")
    for start, end in bodies(blanked):
        body = Body(blanked, start, end)
        for at in range(len(body.tokens)):
            if at in body.asserted:
                continue
            for source in (body.swaps, body.constants, body.calls):
                for change in source(at):
                    add(*change)
            for first, _, opening, kind, stop in body.conditions(at):
                closing = ")" if kind == "negated" else ") && 0"
                add(first, stop, opening + text[first:stop] + closing, kind)
    return sorted(found, key=lambda mutant: (mutant.start, mutant.end, mutant.kind))


def read_rules(path, size):
    """Rules of `size` parts between ` | `, of which the last is a reason and all before it are patterns of file names."""
    rules = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            rule = [part.strip() for part in line.split(" | ")]
            if len(rule) != size or not rule[-1]:
                raise SystemExit(f"{path.name}: no rule with a reason: {line}")
            rules.append(rule)
    return rules


def line_of(mutant):
    return (ROOT / mutant.file).read_text(encoding="utf-8").splitlines()[mutant.line - 1].strip()


def is_equivalent(mutant, rules):
    return any(
        fnmatch.fnmatchcase(mutant.file, file) and fnmatch.fnmatchcase(mutant.kind, kind)
        and fnmatch.fnmatchcase(line_of(mutant), line) for file, kind, line, _ in rules)


def mutated(mutant):
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    return text[:mutant.start] + mutant.text + text[mutant.end:]


def difference(mutant):
    before = (ROOT / mutant.file).read_text(encoding="utf-8").splitlines()
    lines = difflib.unified_diff(before, mutated(mutant).splitlines(), n=0, lineterm="")
    return [line for line in list(lines)[2:] if not line.startswith("@@")]


# ---- running them ----


@dataclasses.dataclass
class Program:
    """A test as meson runs it: a command, in which one word or more is a program that is linked with the wing."""
    name: str
    command: list
    environment: dict
    links: dict  # word of the command: the command that links it
    seconds: float = 0.0  # that it takes without a mutant; 0: not known yet
    kills: int = 0


def limit():
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT_MAX, OUTPUT_MAX))


class Bench:
    """A build, and the programs in it that try a wing."""

    def __init__(self, build, folder, names):
        self.build = build.resolve()
        self.folder = folder
        self.names = names
        self.object = folder / "mutant.o"
        self.commands = {}
        for command in json.loads((self.build / "compile_commands.json").read_text(encoding="utf-8")):
            file = (self.build / command["file"]).resolve()
            if ROOT in file.parents:
                self.commands[str(file.relative_to(ROOT))] = shlex.split(command["command"])
        self.tests = json.loads((self.build / "meson-info/intro-tests.json").read_text(encoding="utf-8"))
        self.wings = {}

    def run(self, command, seconds=None, environment=None):
        """Whether it ended well, in time, and without a failed test in its TAP."""
        path = self.folder / "output"
        with open(path, "wb") as output, subprocess.Popen(
                command, cwd=self.build, env={**os.environ, **(environment or {})}, preexec_fn=limit,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL) as process:
            try:
                status = process.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, 9)
                return False
        return status == 0 and not NOT_OK.search(path.read_bytes())

    def link_of(self, word):
        """The command that links a program of the build."""
        path = os.path.relpath(self.build / word, self.build)
        told = subprocess.run(["ninja", "-C", self.build, "-t", "commands", path], capture_output=True, text=True, check=True)
        return shlex.split(told.stdout.splitlines()[-1])

    def programs(self, wing):
        if wing in self.wings:
            return self.wings[wing]
        found = []
        for test in self.tests:
            wanted = test["name"] in self.names if self.names else test["name"].startswith(wing + " ")
            if not wanted or "liaison:unit" not in test["suite"]:
                continue
            links = {}
            for word in test["cmd"]:
                path = self.build / word
                if self.build in path.parents and os.access(path, os.X_OK) and path.is_file():
                    link = self.link_of(word)
                    if any(part.endswith(f"lib{wing}.a") for part in link):
                        links[word] = link
            if links:
                found.append(Program(test["name"], test["cmd"], test["env"], links))
        if not found:
            raise SystemExit(f"mutants.py: {self.build} has no such test programs of {wing}")
        self.wings[wing] = found
        return found

    def compile(self, mutant):
        source = self.folder / pathlib.Path(mutant.file).name
        source.write_text(mutated(mutant), encoding="utf-8")
        command = self.commands[mutant.file]
        kept = []
        skip = False
        for word in command[1:] if command[0].endswith("ccache") else command:
            if skip or word in ("-MD", "-c", "-Werror") or word.startswith("-W"):
                skip = False
            elif word in ("-MQ", "-MF", "-o"):
                skip = True
            elif not word.endswith(mutant.file):
                kept.append(word)
        return self.run([*kept, "-w", "-c", str(source), "-o", str(self.object)], 120)

    def linked(self, link, path):
        """Links with the mutant before all that comes from libraries."""
        command = list(link)
        command[command.index("-o") + 1] = str(path)
        command.insert(command.index("-o") + 2, str(self.object))
        return self.run(command, 120)

    def measure(self, program):
        """How long it takes without a mutant, which it must pass."""
        start = time.monotonic()
        if not self.run(program.command, 300, program.environment):
            raise SystemExit(f"mutants.py: {program.name} fails without any mutant: build {self.build} first")
        program.seconds = time.monotonic() - start

    def kills(self, program):
        if program.seconds == 0:
            self.measure(program)
        words = {}
        for number, (word, link) in enumerate(program.links.items()):
            words[word] = str(self.folder / f"program-{number}")
            if not self.linked(link, words[word]):
                raise SystemExit(f"mutants.py: {program.name} cannot be linked with a mutant")
        command = [words.get(word, word) for word in program.command]
        return not self.run(command, max(SECONDS_MIN, SLOWER_MAX * program.seconds), program.environment)

    def simulate(self, seeds):
        """Whether the simulator tells of the mutant."""
        path = self.folder / "liaison-sim"
        if not self.linked(self.link_of(self.build / "sim/liaison-sim"), path):
            raise SystemExit("mutants.py: the simulator cannot be linked with a mutant")
        return not self.run([str(path), "--seeds", seeds, "--steps", "300"], 600)

    def judge(self, mutant, seeds):
        """By which program it is killed; "" where it survives, None where it does not compile."""
        wing = mutant.file.split("/")[0]
        programs = self.programs(wing)
        if not self.compile(mutant):
            return None
        stem = pathlib.Path(mutant.file).stem.split("_")[0]
        # First what is likely to kill it, and soon.
        order = sorted(programs, key=lambda program: (
            (0.2 + (program.seconds or SECONDS_GUESSED)) / (1 + program.kills + 4 * (stem in program.name))))
        for program in order:
            if self.kills(program):
                program.kills += 1
                return program.name
        return "simulator" if seeds and self.simulate(seeds) else ""


# ---- the tally ----


def digest_of(paths):
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def digests():
    code = [path for wing in ("base", *WINGS) for path in (ROOT / wing).glob("*.[ch]")]
    tests = [path for path in (ROOT / "tests/unit").rglob("*") if path.suffix in (".c", ".h", ".py", ".inc")]
    return {"code": digest_of(code), "tests": digest_of(tests)}


class Tally:
    def __init__(self, path, again):
        self.path = path
        self.now = digests()
        self.results = {}
        if path is None or not path.exists():
            return
        held = json.loads(path.read_text(encoding="utf-8"))
        if held["code"] == self.now["code"] and (held["tests"] == self.now["tests"] or again):
            self.results = held["results"]
        elif again:
            raise SystemExit(f"mutants.py: the code has changed since {path}: its mutants are no more")
        else:
            print(f"mutants.py: {path} is of another code or other tests: begun anew", file=sys.stderr)

    def survivors(self):
        return {name for name, killer in self.results.items() if killer == ""}

    def note(self, mutant, killer):
        self.results[mutant.name()] = killer
        if self.path is None:
            return
        new = self.path.with_name(self.path.name + ".new")
        new.write_text(json.dumps({**self.now, "results": self.results}, indent=0), encoding="utf-8")
        os.replace(new, self.path)


# ---- the command ----


def read_arguments():
    parser = argparse.ArgumentParser(usage=argparse.SUPPRESS, add_help=False)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--file", action="append", default=[])
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tally", type=pathlib.Path)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--program", action="append", default=[])
    parser.add_argument("--simulate", default="")
    parser.add_argument("--bar", type=float, default=0)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--json", action="store_true")
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__, end="")
        raise SystemExit(0)
    try:
        return parser.parse_args()
    except SystemExit:
        print("mutants.py: Try: /usr/bin/python3 tests/mutants.py --help", file=sys.stderr)
        raise


def choose(arguments, tally):
    files = arguments.file or sorted(
        str(path.relative_to(ROOT)) for wing in WINGS for path in (ROOT / wing).glob("*.c"))
    for name in files:
        if name.split("/")[0] not in WINGS or not (ROOT / name).is_file():
            raise SystemExit(f"mutants.py: {name}: no file of {' or '.join(WINGS)}")
    rules = read_rules(EQUIVALENT, 4)
    made = [mutant for name in files for mutant in mutants_of(name)]
    mutants = [mutant for mutant in made if not is_equivalent(mutant, rules)]
    if arguments.again:
        survivors = tally.survivors()
        mutants = [mutant for mutant in mutants if mutant.name() in survivors]
    if arguments.sample is not None and arguments.sample < len(mutants):
        drawn = random.Random(arguments.seed).sample(range(len(mutants)), arguments.sample)
        mutants = [mutants[at] for at in drawn]
    return mutants, len(made)


def show_progress(at, count, survivors):
    if sys.stderr.isatty():
        bar = "#" * (40 * at // count)
        end = "" if at < count else "\n"
        print(f"\r[{bar:40}] {at}/{count}, {survivors} survive ", end=end, file=sys.stderr, flush=True)


def tell_survivor(mutant):
    print(f"{mutant.file}:{mutant.line}: {mutant.kind}")
    for line in difference(mutant):
        print(f"    {line}")


def main():
    """Judges the mutants that are asked for, and tells which survive."""
    arguments = read_arguments()
    tally = Tally(arguments.tally, arguments.again)
    mutants, made = choose(arguments, tally)
    if arguments.list:
        for mutant in mutants:
            tell_survivor(mutant)
        return 0
    survivors = []
    killed = broken = 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        bench = Bench(arguments.build, pathlib.Path(folder), arguments.program)
        try:
            for at, mutant in enumerate(mutants, 1):
                if arguments.again or mutant.name() not in tally.results:
                    tally.note(mutant, bench.judge(mutant, arguments.simulate))
                killer = tally.results[mutant.name()]
                killed += bool(killer)
                broken += killer is None
                if killer == "":
                    survivors.append(mutant)
                show_progress(at, len(mutants), len(survivors))
        except KeyboardInterrupt:
            print("mutants.py: ended early: of those that were judged", file=sys.stderr)
    survivors.sort(key=lambda mutant: (mutant.file, mutant.start))
    judged = killed + len(survivors)
    share = 100 * killed / judged if judged else 100.0
    if arguments.json:
        print(json.dumps({
            "made": made, "judged": judged, "killed": killed, "percent": round(share, 1), "not_compiled": broken,
            "seed": arguments.seed, **tally.now,
            "survivors": [{"file": mutant.file, "line": mutant.line, "kind": mutant.kind, "diff": difference(mutant)}
                for mutant in survivors]}))
    else:
        for mutant in survivors:
            tell_survivor(mutant)
        print(f"{judged} mutants of {made}, {killed} killed ({share:.1f} %), {len(survivors)} survive; "
            f"{broken} do not compile; seed {arguments.seed}")
    return 0 if share >= arguments.bar else 1


if __name__ == "__main__":
    sys.exit(main())
