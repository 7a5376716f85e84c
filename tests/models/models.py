"""The models hold in every state that they can reach, and with a bug planted each of them falls.

usage: models.py SPIN COMPILER SOURCE_ROOT [--figures]

Spin makes a program of each model that goes through all its states, without leaving any out (no bit state, no hash compaction).
For each mutation that a model names the same is done with that bug defined, and the assertion that must fall is named here.
--figures prints how many states there were, and how deep. Prints TAP.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

DEPTH_MAX = 1_000_000
# Of each mutation: what it defines, and a part of the assertion that must be the one to fall.
MODELS = {
    "receipts": [
        (["ANSWER_BEFORE_COMMIT"], "!(yes[1])"),
        (["HANDED_BEFORE_COMMIT"], "copies[0]==0"),
        (["NUMBERED_AGAIN"], "shown[1]<=1"),
        (["RECEIPT_BEFORE_COMMIT"], "receipts[0]==0"),
        (["DEDUPLICATION_LOST"], "shown[1]<=1"),
        (["CONTENT_UNCHECKED", "HANDED_BEFORE_COMMIT"], "!(receipted[0])"),
        (["SENT_ONCE"], "&&receipted[1]"),
        (["RECEIPTED_ONCE"], "&&receipted[1]"),
    ],
    "incarnations": [
        (["ANCHOR_IGNORED"], "count<=1"),
        (["ANCHOR_LEFT_BEHIND"], "count<=1"),
        (["HANDED_BEFORE_HEADS"], "count<=1"),
        (["NUMBERED_BY_STORE"], "count<=1"),
        (["FILED_BEFORE_HEADS"], "count<=1"),
    ],
    "erasure": [
        (["ERASED_AT_END"], "restored||"),
        (["ERASED_WHEN_LATER_USED"], "restored||"),
        (["NEVER_SEALED_ANEW"], "held&&receipted"),
        (["SEALED_ANEW_TO_EPOCH"], "held&&receipted"),
        (["CANNOT_OPEN_SAID_ONCE"], "held&&receipted"),
    ],
}
MODELED = re.compile(r"([a-z]+/\w+\.c) ((?:[a-z_0-9]+, )*[a-z_0-9]+)(?![\w/])")


def search(spin, compiler, model, defines):
    """What the search of all states says."""
    options = [f"-D{name}" for name in defines]
    with tempfile.TemporaryDirectory(prefix="liaison-model-") as folder:
        for command in (
                [spin, "-a", *options, str(model)],
                [compiler, "-O0" if defines else "-O1", "-w", "-DSAFETY", "-o", "pan", "pan.c"],
                ["./pan", f"-m{DEPTH_MAX}"]):
            done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
            if done.returncode != 0 and "pan: wrote" not in done.stdout:
                return f"{command[0]} failed: {done.stdout}"
    return done.stdout


def holds(said):
    complete = "Search not completed" not in said and "max search depth too small" not in said
    return complete and "Full statespace search for:" in said and ", errors: 0\n" in said


def falls(said, assertion):
    violated = re.search(r"assertion violated (.*) \(at depth", said)
    return violated is not None and assertion in violated[1].replace(" ", "")


def figures(said):
    states, depth = re.search(r"(\d+) states, stored", said), re.search(r"depth reached (\d+)", said)
    return f"# {states[1]} states, {depth[1]} deep" if states and depth else "# no figures"


def unnamed(text, mutations):
    """Mutations of the model that are not tried here, and those that it does not have."""
    there = {name for name in re.findall(r"(?:ifn?def |defined\()([A-Z_]+)", text)}
    return there ^ {name for defines, _ in mutations for name in defines}


def not_there(root, text):
    """Functions that the model says it stands for, and that the source does not have."""
    for path, names in MODELED.findall(text.split("*/", maxsplit=1)[0].replace("\n * ", " ")):
        source = (root / path).read_text(encoding="utf-8")
        for name in names.split(", "):
            if not re.search(rf"^[a-z][^;=]*\b{name}\([^;]*\)\n\{{", source, re.MULTILINE):
                yield f"{name} is not defined in {path}"


def main():
    spin, compiler = sys.argv[1:3]
    root = pathlib.Path(sys.argv[3]).resolve()
    failed = number = 0
    print(f"1..{sum(2 + len(mutations) for mutations in MODELS.values())}", flush=True)

    def tell(good, title, details):
        nonlocal failed, number
        number, failed = number + 1, failed + (not good)
        print(f"{'ok' if good else 'not ok'} {number} - {title}", *([] if good else details.splitlines()), sep="\n# ", flush=True)

    for name, mutations in MODELS.items():
        model = root / "tests/models" / f"{name}.pml"
        text = model.read_text(encoding="utf-8")
        wrong = [*sorted(unnamed(text, mutations)), *not_there(root, text)]
        tell(not wrong, f"{name}: what it models is there, and each of its mutations is tried", "\n".join(wrong))
        said = search(spin, compiler, model, [])
        tell(holds(said), f"{name}: holds in all its states", said)
        if "--figures" in sys.argv:
            print(figures(said))
        for defines, assertion in mutations:
            said = search(spin, compiler, model, defines)
            tell(falls(said, assertion), f"{name}: falls with {' and '.join(defines)}", said)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
