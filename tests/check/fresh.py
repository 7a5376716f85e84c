"""What ./run and step 0 of the README need is what tools/packages-build names: the tree configures with it alone.

usage: fresh.py SOURCE BUILD

Has tools/build configure the tree, though not compile it, as on a fresh Debian on which only those packages and what
they depend on are installed: pkg-config finds only their files, PATH only their programs and the essential ones, Python
only their modules. All programs that BUILD, configured with all that is here, installs and measures must be built there
too; only the tests may be left out, and not where they are asked for, as ./test asks after ./run. Prints TAP.
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

# It tells meson all that it asks; what tools/build asks of it is to compile.
NINJA = """#!/bin/sh
[ $# = 2 ] && [ "$1" = -C ] && exit 0
exec %s "$@"
"""
MODULES = pathlib.Path("/usr/lib/python3/dist-packages")
PROGRAM_FOLDERS = ("/bin", "/sbin", "/usr/bin", "/usr/sbin")


def names_in(list_file):
    lines = list_file.read_text(encoding="utf-8").splitlines()
    return {line.split("#")[0].split()[0] for line in lines if line.split("#")[0].strip()}


def installed_packages():
    """{name: (is it essential, the names that its dependencies begin with: what a fresh system would take)}"""
    text = subprocess.run(["dpkg-query", "-W", "-f", "${Package}\t${Essential}\t${Pre-Depends}\t${Depends}\n"],
                          capture_output=True, encoding="utf-8", check=True).stdout
    packages = {}
    for line in text.splitlines():
        name, essential, *dependencies = line.split("\t")
        wanted = [re.match(r"[^\s:(|]+", each.strip()) for each in ",".join(dependencies).split(",")]
        packages[name] = (essential == "yes", {each[0] for each in wanted if each})
    return packages


def with_dependencies(names, packages):
    names, new = set(), set(names)
    while new:
        names |= new
        new = {each for name in new for each in packages[name][1]} & packages.keys() - names
    return names


def files_of(names):
    """The files of these packages, in whichever of the merged folders."""
    files = subprocess.run(["dpkg", "-L", *sorted(names)], capture_output=True, encoding="utf-8", check=True).stdout
    return {pathlib.Path(line) for line in files.splitlines() if line.startswith("/")}


def lay_out(folder, files):
    """A folder each of pkg-config's files and of programs, and one of Python modules that hide those of others."""
    for name in ("pkg-config", "programs", "modules", "ninja"):
        (folder / name).mkdir()
    (folder / "ninja/ninja").write_text(NINJA % shutil.which("ninja"), encoding="utf-8")
    (folder / "ninja/ninja").chmod(0o755)
    for file in files:
        if file.suffix == ".pc":
            (folder / "pkg-config" / file.name).symlink_to(file)
        elif str(file.parent) in PROGRAM_FOLDERS and os.access(file, os.X_OK) and file.is_file():
            ours = folder / "ninja/ninja" if file.name == "ninja" else file
            (folder / "programs" / file.name).symlink_to(ours)
    owned = {file.relative_to(MODULES).parts[0] for file in files if file.is_relative_to(MODULES) and file != MODULES}
    for module in MODULES.iterdir():
        if module.name not in owned and (module.is_dir() or module.suffix in (".py", ".so")):
            hidden = folder / "modules" / (module.name.split(".")[0] + ".py")
            hidden.write_text("raise ImportError('not of the packages that building needs')\n", encoding="utf-8")


def configured(build, what):
    return json.loads((build / "meson-info" / f"intro-{what}.json").read_text(encoding="utf-8"))


def programs(source, build):
    """The executables of a configured build directory that are no tests', and whether they are installed."""
    return {(target["name"], target["installed"]) for target in configured(build, "targets")
            if target["type"] == "executable" and not pathlib.Path(target["defined_in"]).is_relative_to(source / "tests")}


def tests(build):
    return sorted(f"{'+'.join(test['suite'])} / {test['name']}" for test in configured(build, "tests"))


def lay_out_tree(tree, source):
    """The source once more, for a build directory of its own."""
    tree.mkdir()
    for entry in source.iterdir():
        if entry.name not in ("build", ".git"):
            (tree / entry.name).symlink_to(entry)


def tell(number, good, name, details):
    print(f"{'ok' if good else 'not ok'} {number} - {name}")
    if not good:
        print("".join(f"# {line}\n" for line in str(details).splitlines()), end="")


def try_it(folder, source, full):
    tree, fresh = folder / "tree", folder / "tree/build/release"
    bare = {"PATH": str(folder / "programs"), "PKG_CONFIG_LIBDIR": str(folder / "pkg-config"),
            "PYTHONPATH": str(folder / "modules"), "LC_ALL": "C.UTF-8", "TMPDIR": str(folder)}
    here = {**os.environ, "PATH": f"{folder / 'ninja'}:{os.environ['PATH']}"}

    def configure(environment, *options):
        return subprocess.run([str(tree / "tools/build"), "release", *options], env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, encoding="utf-8", check=False)

    print("1..6")
    hidden = [folder / "programs/cmake", folder / "programs/clang", folder / "pkg-config/cmocka.pc"]
    tell(1, not any(file.exists() for file in hidden), "what only tests need is hidden", hidden)
    done = configure(bare)
    good = done.returncode == 0
    tell(2, good, "the tree configures with what tools/packages-build names", done.stdout)
    wanted, found = programs(source, full), programs(tree, fresh) if good else set()
    tell(3, sum(installed for _, installed in wanted) == 3 and wanted == found, "and so do all programs", (wanted, found))
    tell(4, good and tests(fresh) == [], "no test is left, which would pass for all of them", "")
    done = configure(bare, "-Dtests=enabled")
    words = ("ERROR: ", "cmocka", "python3-cbor2", "python3-cryptography")
    tell(5, done.returncode != 0 and all(word in done.stdout for word in words),
         "tests that are asked for and cannot be built are an error", done.stdout)
    done = configure(here, "-Dtests=enabled")
    good = done.returncode == 0 and tests(fresh)
    tell(6, good and tests(fresh) == tests(full), "where what they need has come, all tests that are asked for are there", done.stdout)


def main():
    source, full = (pathlib.Path(each).resolve() for each in sys.argv[1:])
    packages = installed_packages()
    named = names_in(source / "tools/packages-build")
    essential = {name for name, (is_essential, _) in packages.items() if is_essential}
    files = files_of(with_dependencies(named | essential, packages))
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        lay_out(folder, files)
        lay_out_tree(folder / "tree", source)
        try_it(folder, source, full)


main()
