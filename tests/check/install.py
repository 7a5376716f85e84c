"""Step 0 of the README: what `meson install` installs, and where.

usage: install.py BUILD README PREFIX MANDIR

The programs that the README names must stand in a folder that every user's shell looks in, not only root's, and run
from there; each with its manual page; and nothing else is installed. Prints TAP.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

EVERYBODYS = ("usr/local/bin", "usr/bin", "bin")  # Debian's PATH of a user who is not root (login.defs, ENV_PATH)


def installed(build, destination):
    """All files that are installed, relative to the root."""
    subprocess.run(["meson", "install", "-C", build, "--no-rebuild", "--destdir", destination], check=True,
                   stdout=subprocess.DEVNULL)
    return sorted(str(path.relative_to(destination)) for path in pathlib.Path(destination).rglob("*") if path.is_file())


def programs_of(readme):
    """The programs that step 0 says are put where the shell finds them."""
    sentence = re.search(r"which puts (.*?) where your shell finds them", readme, re.DOTALL)[1]
    return sorted(re.findall(r"`(.*?)`", sentence))


def tell(number, good, name, details):
    print(f"{'ok' if good else 'not ok'} {number} - {name}")
    if not good:
        print(f"# {details}")


def main():
    build, readme_path, prefix, mandir = sys.argv[1:]
    readme = pathlib.Path(readme_path).read_text(encoding="utf-8")
    programs = programs_of(readme)
    with tempfile.TemporaryDirectory() as destination:
        files = installed(build, destination)
        manuals = [each for each in files if each.startswith(f"{prefix}/{mandir}/".lstrip("/"))]
        binaries = [each for each in files if each not in manuals]
        found = [each for each in binaries if each.rpartition("/")[0] in EVERYBODYS]
        print("1..4")
        tell(1, "meson install -C build/release" in readme, "the README installs with meson", readme_path)
        tell(2, found == binaries and sorted(each.rpartition("/")[2] for each in found) == programs,
             "the programs stand where every user's shell finds them, and no others", (binaries, programs))
        named = sorted(pathlib.Path(each).name.partition(".")[0] for each in manuals)
        placed = all(pathlib.Path(each).parent.name == "man" + each.rpartition(".")[2] for each in manuals)
        tell(3, named == programs and placed, "each has its manual page, in its section", manuals)
        said = [subprocess.run([pathlib.Path(destination) / each, "--help"], capture_output=True, text=True, check=False)
                for each in found]
        tell(4, len(said) == 3 and all(each.returncode == 0 and each.stdout for each in said),
             "they run from there", said)


main()
