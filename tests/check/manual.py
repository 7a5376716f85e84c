"""The manual of the command line says what --help says: every command, every option, nothing else.

usage: manual.py LIAISON DOC_MAN_DIRECTORY

Prints TAP.
"""

import re
import subprocess
import sys


def say(*words):
    return subprocess.run([sys.argv[1], *words], capture_output=True, text=True, check=True).stdout


def commands_in_help():
    listing = say("--help").split("Commands:\n")[1].split("\n\n")[0]
    return [re.match(r"  (\S+(?: \S+)?)\s{2,}", line).group(1) for line in listing.splitlines() if line[2] != " "]


def options_in_help(command):
    text = say(*command.split(), "--help").split("Common options:")[0]
    return re.findall(r"^  (?:-\w|  ) --(\S+)", text.split("\nOptions:\n")[1], re.M) if "\nOptions:\n" in text else []


def sections_in_manual(text):
    """What stands under each command's .It Cm, by the command's name."""
    names = commands_in_help()
    sections = {}
    for part in text.split("\n.It Cm ")[1:]:
        line = part.split("\n")[0]
        name = max((each for each in names if line == each or line.startswith(each + " ")), key=len, default=line)
        sections[name] = part
    return sections


def main():
    with open(sys.argv[2] + "/liaison.1") as source:
        sections = sections_in_manual(source.read())
    names = commands_in_help()
    print("1..%d" % (len(names) + 1))
    print("%s 1 - the manual names the commands of --help, in its order" % ("ok" if list(sections) == names else "not ok"))
    for number, name in enumerate(names, 2):
        manual = re.findall(r"Fl -([a-z-]+)", "\n".join(
            line for line in sections.get(name, "").splitlines() if line.startswith(".It ")))
        good = manual == options_in_help(name)
        print("%s %d - the manual has the options of %s" % ("ok" if good else "not ok", number, name))
        if not good:
            print("# manual %s, help %s" % (manual, options_in_help(name)))


main()
