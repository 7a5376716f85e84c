"""README's steps for two machines, typed as they stand there by a user without rights: usage: test_readme.py BUILD"""

import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

from line import PROGRAMS, SANITIZER, free_port, wait_for
from post_shell import run_tests

SOURCE = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(sys.argv[1]).resolve()
USER = 61234  # nobody's, where we are root and may choose
NAMES = {"alliance": "federation", "Alliance": "Federation", "Headquarters": "Embassy", "headquarters": "embassy",
         "rowe": "petrov", "A. Rowe": "V. Petrov", "ipn:1001.0": "ipn:2002.0"}
SIGNS = re.compile(r"liaison (party create|post create|card accept|channel open|send) ")

folder = pathlib.Path(tempfile.mkdtemp(prefix="liaison-readme-"))
sides = []


def steps():
    """{number: the lines of the step that are indented}, comments off, those that a backslash parts joined."""
    text = (SOURCE / "README.md").read_text(encoding="utf-8").split("\n## Two machines")[1].split("\n## ")[0]
    found = {}
    for number, part in re.findall(r"^\*\*(\d)\. (.*?)(?=^\*\*\d\. |\Z)", text, re.M | re.S):
        code = "\n".join(row[4:] for row in part.splitlines() if row.startswith("    ")).replace("\\\n", " ")
        found[int(number)] = [re.sub(r"\s+#.*", "", row) for row in code.splitlines()]
    return found


class Side:
    """One of the two machines, as a directory, and its user at work in a home of its own."""

    def __init__(self, is_second):
        self.is_second = is_second
        self.root = folder / ("two" if is_second else "one")
        self.home = self.root / "home"
        self.port, self.pin, self.daemons = free_port(), "", {}
        for path in self.root, self.home, self.root / "srv", self.root / "safe":
            path.mkdir(mode=0o755)
        passphrase = self.home / "passphrase"
        passphrase.touch(mode=0o600)
        passphrase.write_text("correct horse battery staple\n")
        self.environment = {**SANITIZER, "PATH": f"{folder / 'bin'}:/usr/bin:/bin", "LANG": "C.UTF-8",
                            "LIAISON_PASSPHRASE_FILE": str(passphrase)}
        self.give(self.home, passphrase)

    def give(self, *paths):
        if os.geteuid() == 0:
            for path in paths:
                os.chown(path, USER, USER)

    def here(self, words):
        """README's words, for this side and in its directories."""
        if self.is_second:
            names = {**NAMES, **{other: one for one, other in NAMES.items()}}
            words = re.sub("|".join(sorted(map(re.escape, names), key=len, reverse=True)), lambda m: names[m.group()], words)
        words = re.sub(r"/(srv|safe)/", rf"{self.root}/\1/", words).replace("/media/usb", str(folder / "usb"))
        return words.replace("192.0.2.1:4556", f"127.0.0.1:{self.port}").replace("PIN-OF-THE-COURIER", self.pin)

    def as_user(self, words):
        user = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"] if os.geteuid() == 0 else []
        return {"args": [*user, *shlex.split(words)], "cwd": self.home, "env": self.environment}

    def does(self, words):
        """Types one line; what it prints."""
        words = self.here(words)
        if words.startswith("export "):
            self.environment.update([words.removeprefix("export ").split("=", 1)])
            return ""
        if "--dir" in words and "--init" not in words:
            name = words.split()[0]
            with open(folder / f"{self.root.name}-{name}.log", "ab") as log:
                self.daemons[name] = subprocess.Popen(**self.as_user(words), stdin=subprocess.DEVNULL, stderr=log)
            return ""
        done = subprocess.run(**self.as_user(words + (" --yes" if SIGNS.match(words) else "")), stdin=subprocess.DEVNULL,
                              capture_output=True, encoding="utf-8", timeout=60)
        assert done.returncode == 0, (words, done)
        return done.stdout

    def answers(self):
        with contextlib.suppress(AssertionError):
            return self.does("liaison status --post /srv/post") is not None
        return False

    def shows(self, words, count=1):
        with contextlib.suppress(AssertionError):
            return self.does("liaison channel show").count(words) == count
        return False

    def end(self):
        for daemon in self.daemons.values():
            daemon.terminate()
            daemon.wait(20)


def a_user_without_rights_comes_as_far_as_the_card():
    usb = folder / "usb"
    usb.mkdir(mode=0o755)
    for side in sides:
        side.give(usb)
        install, = (row for row in steps()[0] if row.startswith("install -d"))
        who = f"-o {USER} " if os.geteuid() == 0 else ""
        # Not `as_user`: this one is root's, where there is one.
        subprocess.run(shlex.split(side.here(install).replace("-o duty ", who)), check=True)
        init, = steps()[1]
        side.pin = side.does(init).split("pin ")[1].strip()
        for number in 2, 3:
            for words in steps()[number]:
                side.does(words)
        wait_for(side.answers, "the post answers")
        *own, accept = steps()[4]
        printed = "".join(map(side.does, own))
        fingerprint = json.loads(side.does("liaison party show --party /safe/alliance --json"))["fingerprint"]
        assert len(fingerprint.split()) == 24 and " ".join(fingerprint.split()) in " ".join(printed.split()), printed
    for side, other in (sides, sides[::-1]):
        card = other.home / other.here("alliance.card")
        shutil.copy(card, side.home / card.name)
        side.give(side.home / card.name)
        side.does(accept)


def the_rest_of_the_steps_opens_a_line():
    first, second = sides
    make, accept = steps()[5]
    first.does(make)
    second.does(accept.replace("federation", "alliance"))  # as the README has it from here
    assert not list((folder / "usb").iterdir())
    for side in sides:
        rows = [row for row in steps()[6] if re.match("(node|listen|post) ", row)]
        neighbour = re.search(r"for courier.conf: (.*)", side.does("liaison card show federation.card")).group(1)
        assert len(rows) == 3 and [row for row in steps()[6] if row.startswith("neighbour")], steps()[6]
        configuration = pathlib.Path(side.here("/srv/courier/courier.conf"))
        configuration.write_text("".join(f"{side.here(row)}\n" for row in [*rows]) + neighbour + "\n")
        side.does(steps()[6][-1])
    opens, shows = steps()[7]
    for side, seen in ((first, ""), (second, "Alliance officer"), (first, "Federation officer")):
        wait_for(lambda: seen == "" or side.shows(seen), f"{seen} is listed")
        side.does(opens)
    for side in sides:
        wait_for(lambda: side.shows("may speak", 2), "both may speak")
        assert side.does(shows)
    for words in steps()[8]:
        if "send" in words:
            (first.home / "message.txt").write_text("It is ours.\n")
            first.give(first.home / "message.txt")
        if "watch" not in words:
            first.does(words)
    wait_for(lambda: "received" in first.does("liaison inbox --sent"), "it is received")


if __name__ == "__main__":
    folder.chmod(0o755)
    (folder / "bin").mkdir(mode=0o755)
    for path in PROGRAMS.values():
        shutil.copy(BUILD / path, folder / "bin")
    try:
        sides += [Side(False), Side(True)]
        run_tests(
            a_user_without_rights_comes_as_far_as_the_card,
            the_rest_of_the_steps_opens_a_line,
        )
    finally:
        for side in sides:
            side.end()
        shutil.rmtree(folder)
