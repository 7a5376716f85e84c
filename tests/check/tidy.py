"""The house's style, as far as a program can tell (doc/HACKING.md).

usage: tidy.py SOURCE_ROOT

Prints TAP: one test for each rule, with the places that break it.
"""

import pathlib
import re
import subprocess
import sys

WIDTH_MAX = 110
SCRIPT_WIDTH_MAX = 135
TAB_WIDTH = 8
FILE_LINES_MAX = 599
FUNCTION_LINES_MAX = 69

# Which folders a file in each folder may include from. Arrows point one way.
ARROWS = {
    "base": {"base"},
    "envelope": {"base", "envelope"},
    "record": {"base", "envelope", "record"},
    "carry": {"base", "carry"},
    "shell": {"shell"},
    "post": {"base", "envelope", "record", "shell", "post"},
    "courier": {"base", "carry", "shell", "courier"},
    "cli": {"base", "envelope", "shell", "cli"},
    "sim": {"base", "envelope", "record", "carry", "sim"},
    "bench": {"base", "envelope", "record", "carry", "post", "shell", "bench"},
}
PURE = {"base", "envelope", "record", "carry"}

# What the pure wings may include from outside: nothing that has a system call in it.
PURE_HEADERS = {"assert.h", "inttypes.h", "limits.h", "stdalign.h", "stdbool.h", "stddef.h", "stdint.h",
    "string.h"}

# Headers of libraries, by how their names begin, and the folders that may use them.
LIBRARY_FOLDERS = {
    "sodium": {"envelope", "record", "post", "cli", "sim", "bench"},
    "openssl/": {"courier"},
    "uv": {"courier"},
    "sqlite3": {"shell", "post", "courier", "bench"},
    "jansson": {"cli", "bench"},
}

BANNED_CALLS = re.compile(
    r"\b(strcpy|stpcpy|strcat|sprintf|vsprintf|gets|atoi|atol|atoll|strtok|strtok_r|alloca|system|popen)"
    r"\s*\(")

# Put together here, so that this file does not hold them.
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK|third" + r"_party)\b")

INCLUDE = re.compile(r'^#include\s+(?:"([^"]+)"|<([^>]+)>)')


def tracked(root):
    """The files under version control, but those that another tool wrote."""
    names = subprocess.run(["git", "-C", root, "ls-files", "-z"], capture_output=True, check=True).stdout
    return [name for name in names.decode().split("\0") if name and (root / name).is_file()]


def without_comments_and_strings(text):
    """C source with comments and literals emptied, line breaks kept."""
    pattern = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)

    def blank(match):
        found = match.group(0)
        if found[0] == '"':
            return '""'
        return "\n" * found.count("\n") if found[0] == "/" else "' '"

    return pattern.sub(blank, text)


class Tree:
    def __init__(self, root):
        self.root = root
        self.names = tracked(root)
        self.texts = {}
        for name in self.names:
            try:
                self.texts[name] = (root / name).read_text(encoding="utf-8")
            except UnicodeDecodeError:
                pass  # not text
        self.c = sorted(name for name in self.texts if name.endswith((".c", ".h")))
        self.code = {name: without_comments_and_strings(self.texts[name]) for name in self.c}

    def scripts(self):
        return [name for name, text in self.texts.items()
            if name.endswith((".py", ".build")) or text.startswith("#!")]


def folder(name):
    return name.split("/")[0] if "/" in name else ""


def long_files(tree):
    for name in tree.c + tree.scripts():
        lines = tree.texts[name].count("\n")
        if lines > FILE_LINES_MAX:
            yield f"{name}: {lines} lines"


def long_functions(tree):
    """A function's lines are those from where its name stands to its last brace."""
    for name in tree.c:
        start = None
        head = None
        for number, line in enumerate(tree.code[name].split("\n"), 1):
            if line[:1].isalpha() or line[:1] == "_":
                head = number
            if line == "{":
                start = head
            elif line == "}" and start is not None:
                if number - start + 1 > FUNCTION_LINES_MAX:
                    yield f"{name}:{start}: {number - start + 1} lines"
                start = None


def function_braces(tree):
    """The rule above sees only functions whose opening brace stands alone in the first column."""
    for name in tree.c:
        for number, line in enumerate(tree.code[name].split("\n"), 1):
            if re.match(r"^[A-Za-z_][\w \*]*\([^;=]*\)\s*\{", line):
                yield f"{name}:{number}: the brace of a function stands on a line of its own"


def wide_lines(tree):
    for name in tree.c + tree.scripts():
        for number, line in enumerate(tree.texts[name].split("\n"), 1):
            width = len(line.expandtabs(TAB_WIDTH))
            if width > (WIDTH_MAX if name in tree.c else SCRIPT_WIDTH_MAX):
                yield f"{name}:{number}: {width} columns"


def spaces(tree):
    for name in tree.c:
        for number, line in enumerate(tree.texts[name].split("\n"), 1):
            if re.match(r"^ (?!\*)", line):
                yield f"{name}:{number}: indented with spaces"
            elif re.match(r"^\t* +\t", line):
                yield f"{name}:{number}: a space before a tab"
    for name in tree.c + tree.scripts():
        text = tree.texts[name]
        if not text.endswith("\n") or text.endswith("\n\n") or "\r" in text:
            yield f"{name}: it does not end with one line feed, or holds carriage returns"
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                yield f"{name}:{number}: spaces at the end of the line"


def banned_calls(tree):
    for name in tree.c:
        for number, line in enumerate(tree.code[name].split("\n"), 1):
            match = BANNED_CALLS.search(line)
            if match:
                yield f"{name}:{number}: {match.group(1)}"


def unfinished(tree):
    for name, text in tree.texts.items():
        if name.endswith(".md"):
            continue  # a page may name the words that the code must not hold
        for number, line in enumerate(text.split("\n"), 1):
            match = UNFINISHED.search(line)
            if match:
                yield f"{name}:{number}: {match.group(1)}"


def includes(tree, name):
    """(line number, name, whether it is ours) of each include, with None between blocks of them."""
    previous = None
    for number, line in enumerate(tree.texts[name].split("\n"), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        if previous is not None and number != previous + 1:
            yield None
        previous = number
        yield number, match.group(1) or match.group(2), match.group(1) is not None


def arrows(tree):
    for name in tree.c:
        wing = folder(name)
        if wing == "tests":
            continue
        if wing not in ARROWS:
            yield f"{name}: a folder that the rules do not know"
            continue
        for number, included, ours in filter(None, includes(tree, name)):
            if ours and folder(included) not in ARROWS[wing]:
                yield f"{name}:{number}: {wing} includes {included}"


def headers_from_outside(tree):
    for name in tree.c:
        wing = folder(name)
        if wing == "tests":
            continue
        for number, included, ours in filter(None, includes(tree, name)):
            if ours:
                continue
            library = next((key for key in LIBRARY_FOLDERS if included.startswith(key)), None)
            if library is not None and wing not in LIBRARY_FOLDERS[library]:
                yield f"{name}:{number}: {wing} uses {included}"
            elif library is None and wing in PURE and included not in PURE_HEADERS:
                yield f"{name}:{number}: {wing} is pure and uses {included}"


def include_order(tree):
    for name in tree.c:
        own = name[:-2] + ".h"
        found = list(includes(tree, name))
        if name.endswith(".c") and own in tree.texts and (not found or found[0][1] != own):
            yield f"{name}: its own header does not come first"
        block = []
        for item in found + [None]:
            if item is not None:
                block.append(item[1])
                continue
            rest = block[1:] if block and block[0] == own else block
            if rest != sorted(rest):
                yield f"{name}: includes are not in alphabetical order: {' '.join(rest)}"
            block = []
        for item in filter(None, found):
            if item[2] and "/" not in item[1]:
                yield f"{name}:{item[0]}: {item[1]} is not named from the root"


def guards(tree):
    for name in tree.c:
        if not name.endswith(".h"):
            continue
        guard = re.sub(r"\W", "_", name[:-2]).upper() + "_H"
        if not re.search(rf"^#ifndef {guard}\n#define {guard}$", tree.texts[name], re.MULTILINE):
            yield f"{name}: no guard {guard}"


def global_state(tree):
    """Writable variables outside functions; the daemons' main files too. (purity.py looks at the objects.)"""
    for name in tree.c:
        if folder(name) == "tests":
            continue
        for number, line in enumerate(tree.code[name].split("\n"), 1):
            variable = re.match(r"^static (?!inline\b|_Noreturn\b)([^()=]*)(;|=[^(]*)$", line)
            if variable and not re.search(r"\*const\b" if "*" in variable.group(1) else r"\bconst\b",
                    variable.group(1)):
                yield f"{name}:{number}: {line.strip()}"


def numbers_given_twice(tree):
    """The tables of a store, the codes of a protocol: two names for one number is a mistake of merging."""
    for name in tree.c:
        for enum in re.finditer(r"\benum\b[^;{(]*\{([^{}]*)\}", tree.code[name]):
            given = {}
            for constant, number in re.findall(r"(\w+)\s*=\s*(0x[0-9a-fA-F]+|\d+)\s*(?:,|$)", enum.group(1)):
                other = given.setdefault(int(number, 0), constant)
                if other != constant:
                    yield f"{name}: {other} and {constant} are both {number}"


def built(tree):
    """A source file that no meson.build names is not built, and not tested."""
    for name in tree.c:
        if not name.endswith(".c"):
            continue
        path = pathlib.PurePath(name)
        stem = path.stem.removeprefix("test_")
        nearby = [tree.texts.get(str(parent / "meson.build"), "") for parent in path.parents] + [
            text for other, text in tree.texts.items()
            if other.endswith("meson.build") and other.startswith(str(path.parent) + "/")]
        if not any(f"{path.name}'" in text or f"'{stem}'" in text for text in nearby):
            yield f"{name}: in no meson.build"


# Called by tests alone, and why it stays.
FOR_TESTS = {
    "cbor_write_tag": "the writer writes whatever the reader reads: their round trips",
    "cose_to_be_signed_size": "holds the size of the work area",
    "merkle_inclusion_nodes": "the proof by which a stranger shows one entry: published vectors",
    "merkle_inclusion_verify": "the same",
    "rows_before": "the mirror of rows_after",
    "tcpcl_is_closed": "what a session says of itself",
    "tcpcl_peer_node_id": "the same",
    "tcpcl_uses_tls": "the same",
}


def called(tree):
    """What a header offers and only tests call is dead: it is read, kept and attacked, and does nothing."""
    offered, used = {}, set()
    for name in tree.c:
        if folder(name) == "tests":
            continue
        for line in tree.code[name].split("\n"):
            declared = re.match(r"[a-z][\w \*]*?\b(\w+)\(", line)
            if declared and name.endswith(".h"):
                offered.setdefault(declared.group(1), name)
            words = re.findall(r"\w+", line)
            used.update(word for word in words if not declared or word != declared.group(1))
    for function, name in sorted(offered.items()):
        if (function not in used) != (function in FOR_TESTS):
            yield f"{name}: {function} has {'a' if function in used else 'no'} caller outside tests"


RULES = [
    ("files have under 600 lines", long_files),
    ("functions have under 70 lines", long_functions),
    ("functions begin in the first column", function_braces),
    ("lines fit into 110 columns, those of scripts into 135", wide_lines),
    ("tabs indent, and no space is left over", spaces),
    ("no banned call", banned_calls),
    ("nothing says that it is unfinished", unfinished),
    ("includes follow the arrows between the wings", arrows),
    ("libraries and the system are used only where they may be", headers_from_outside),
    ("includes stand in order", include_order),
    ("headers have their guard", guards),
    ("no writable variable outside a function", global_state),
    ("no enum gives a number twice", numbers_given_twice),
    ("every source file is built", built),
    ("what headers offer is called", called),
]


def main():
    tree = Tree(pathlib.Path(sys.argv[1]))
    if len(tree.c) < 10:
        raise SystemExit("no source files found: is this the source root, under version control?")
    print(f"1..{len(RULES)}")
    failed = False
    for number, (title, rule) in enumerate(RULES, 1):
        broken = list(rule(tree))
        failed = failed or bool(broken)
        print(f"{'not ok' if broken else 'ok'} {number} - {title}")
        for line in broken:
            print(f"# {line}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
