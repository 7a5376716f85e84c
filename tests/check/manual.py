"""The manuals say what --help says. Of the command line: every command, every option, nothing else. Of the daemons: every
option and every word of courier.conf.

usage: manual.py DOC_MAN_DIRECTORY LIAISON DAEMON...

Prints TAP.
"""

import os
import re
import subprocess
import sys


def say(*words, program=sys.argv[2]):
    return subprocess.run([program, *words], capture_output=True, text=True, check=True).stdout


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


def differences(daemon):
    """What only one of a daemon's page and its --help names; and whether it tells its version."""
    name = os.path.basename(daemon)
    with open("%s/%s.8" % (sys.argv[1], name)) as source:
        page = source.read()
    text = re.sub(r"\bliaison [a-z].*", "", say("--help", program=daemon))  # an example of the other program
    options = set(re.findall(r"^\.It Fl -([a-z-]+)", page, re.M)), set(re.findall(r"--([a-z-]+)", text))
    statements = set(re.findall(r"\bIc ([a-z-]+(?: none)?)", "\n".join(re.findall(r"^\.It Ic .*", page, re.M))))
    missing = {word for word in statements if not re.search(r"(^|[ `])%s[ `\n]" % word, text, re.M)}
    version = say("--version", program=daemon)
    assert re.fullmatch(re.escape(name) + r" [0-9.]+\n", version), version
    return sorted((options[0] ^ options[1]) | missing)


def main():
    with open(sys.argv[1] + "/liaison.1") as source:
        sections = sections_in_manual(source.read())
    names, daemons = commands_in_help(), sys.argv[3:]
    print("1..%d" % (len(names) + 1 + len(daemons)))
    print("%s 1 - the manual names the commands of --help, in its order" % ("ok" if list(sections) == names else "not ok"))
    for number, name in enumerate(names, 2):
        manual = re.findall(r"Fl -([a-z-]+)", "\n".join(
            line for line in sections.get(name, "").splitlines() if line.startswith(".It ")))
        good = manual == options_in_help(name)
        print("%s %d - the manual has the options of %s" % ("ok" if good else "not ok", number, name))
        if not good:
            print("# manual %s, help %s" % (manual, options_in_help(name)))
    for number, daemon in enumerate(daemons, len(names) + 2):
        found = differences(daemon)
        print("%s %d - the page of %s says what its --help does" % ("not ok" if found else "ok", number, os.path.basename(daemon)))
        if found:
            print("# only in one of them: %s" % ", ".join(found))


main()
