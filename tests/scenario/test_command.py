"""What holds for every command: exit statuses, lost output, options, --help: usage: test_command.py BUILD"""

import json
import os
import pathlib
import re
import subprocess
import sys

from line import SANITIZER, Line, wait_for
from officer import make_quick_secret_file, passphrase_of
from post_shell import run_tests
from terminal import shown_on_terminal

SAID = re.compile(r"^liaison: [^\n]{8,400}$", re.MULTILINE)
SIGNING = {"--post", "--officer", "--passphrase-file", "--json", "--yes", "--help"}
ASKING = {"--post", "--json", "--help"}
TAKEN = {
    "party create": {"--passphrase-file", "--json", "--yes", "--help"},
    "party show": {"--party", "--json", "--help"},
    "post create": {"--party", "--passphrase-file", "--json", "--yes", "--help"},
    "officer create": {"--party", "--passphrase-file", "--json", "--help"},
    "card accept": {"--post", "--json", "--yes", "--help"},
    "keying make": {"--post", "--party", "--passphrase-file", "--json", "--help"},
    "keying accept": {"--post", "--party", "--passphrase-file", "--json", "--help"},
    "channel open": {"--post", "--party", "--passphrase-file", "--json", "--yes", "--help"},
    "backup": {"--post", "--passphrase-file", "--json", "--help"},
    "restore": {"--passphrase-file", "--json", "--help"},
    **{name: SIGNING for name in ("send", "reply", "ack")},
    **{name: ASKING for name in (
        "card show", "card export", "channel show", "inbox", "show", "log", "verify", "status", "watch")},
}

line = None


def commands():
    return re.findall(r"^  ([a-z]+(?: [a-z]+)?)  +\S", line.alliance.text("--help"), re.MULTILINE)


def what_a_command_line_has_wrong_ends_with_two():
    new = line.folder / "new"
    say = ["-m", "text", "--yes"]
    make_post = ["post", "create", new, "--name", "Annex", "--node", "ipn:3.0", "--pin", "00" * 32, "--yes"]
    for words in (
            ["send", "-p", "urgent", *say], ["send", *say, new], ["show", "HEADQUARTERS"],
            ["send", "--ack-by", "yesterday", *say], ["send", "-s", "two\nlines", *say],
            ["reply", "not a reference", *say], ["ack", "EMBASSY 0/26", "--yes"],
            ["keying", "make", new], ["keying", "make", new, "--with", "Federation", "--number", "0"],
            ["party", "create", new, "--name", "x" * 65, "--yes"], ["officer", "create", new],
            ["officer", "create", new, "--name", "B", "--highest", "top"],
            ["officer", "create", new, "--name", "x" * 65],
            [*make_post, "--pin", "1234"], [*make_post, "--kind", "palace"], [*make_post, "--slot", "64"],
            [*make_post, "--slot", "one"], [*make_post, "--name", "Annex 2"], [*make_post, "--node", "3"],
            [*make_post, "--address", "nowhere"], make_post[:5], ["watch", "--bell-from", "top"],
            ["channel", "open"], ["channel", "open", "--with", "Federation", "--heads-interval", "9"]):
        for more in ([], ["--json"]):
            result = line.alliance.run(*words, *more)
            assert result.returncode == 2 and len(SAID.findall(result.stderr)) == 1, result
            assert f"Try: liaison {words[0]}" in result.stderr, result
    assert not new.exists()


def each_command_takes_the_options_that_mean_something_to_it():
    assert set(commands()) == set(TAKEN)
    common = set().union(*TAKEN.values())
    for command, taken in TAKEN.items():
        own, listed = line.alliance.text(*command.split(), "--help").split("\nCommon options:\n")
        assert set(re.findall(r"^  (?:-\w|  ) (--[a-z-]+)", listed, re.MULTILINE)) == taken, command
        for option in common - taken - set(re.findall(r"^  (?:-\w|  ) (--[a-z-]+)", own, re.MULTILINE)):
            value = [] if option == "--yes" else ["nothing"]
            result = line.alliance.run(*command.split(), option, *value)
            assert result.returncode == 2 and f"no option '{option}'" in result.stderr, result
    assert "no option '-y'" in line.alliance.run("inbox", "-y").stderr


def terms_that_stand_are_not_set_again():
    for option, value in (("-t", "Another"), ("--heads-interval", "30")):
        result = line.alliance.run("channel", "open", "--with", "Federation", option, value, "--yes")
        assert result.returncode == 1 and "stand" in SAID.findall(result.stderr)[0] and not result.stdout, result
    assert line.alliance.json("channel", "open", "--with", "Federation", "--yes")["letters_signed"] == 0


def a_numbered_list_in_the_help_keeps_its_lines():
    text = line.alliance.text("restore", "--help")
    assert re.findall(r"^  (\d)\. [A-Z]", text, re.MULTILINE) == ["1", "2", "3", "4", "5"], text
    assert "\n\n  1. " in text and re.search(r"^     \S", text, re.MULTILINE), text


def run_into(path, side, *words):
    with open(path, "wb") as out:
        return subprocess.run(
            [str(line.programs["liaison"]), *map(str, words)], stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.PIPE, encoding="utf-8", timeout=60, start_new_session=True,
            env={**os.environ, **SANITIZER, **side.environment})


def what_could_not_be_printed_is_no_success():
    alliance, federation = line.sides
    line.wait_until_heads_agree()
    message = alliance.send("To be shown.", "-p", "flash")
    line.wait_until_held(federation, message)
    asking = (["log"], ["inbox"], ["show", message], ["verify"], ["status"], ["channel", "show"], ["card", "show"],
              ["party", "show"])
    for words in (["--help"], ["--version"], ["help", "send"], ["send", "--help"],
                  *(words + more for words in asking for more in ([], ["--json"]))):
        result = run_into("/dev/full", federation, *words)
        assert result.returncode == 1 and len(SAID.findall(result.stderr)) == 1, (words, result)
        assert "the output cannot be written: No space left on device\n" in result.stderr, (words, result)
        assert run_into("/dev/null", federation, *words).returncode == 0, words
    for words in (["log", "--json"], ["inbox"]):
        result = federation.run(*words, prefix=["sh", "-c", 'exec "$0" "$@" >&-'])
        assert result.returncode == 1 and "the output cannot be written" in result.stderr, (words, result)


def what_was_done_all_the_same_is_said():
    alliance, federation = line.sides
    for more in ([], ["--json"]):
        sent = federation.send("To be acknowledged.", "-p", "flash")
        line.wait_until_held(alliance, sent)
        for words, expected in ((["send", "-m", "Lost in print.", "-p", "flash"], "the message was released"),
                                (["reply", sent, "-m", "Lost in print.", "-p", "flash"], "the answer was released"),
                                (["ack", sent], "the acknowledgment was released")):
            result = run_into("/dev/full", alliance, *words, "--yes", *more)
            assert result.returncode == 1 and expected in SAID.findall(result.stderr)[-1], (words, result)
        wait_for(lambda sent=sent: federation.show(sent)["state"] == "answered", "it is answered")
    own = json.loads(alliance.text("inbox", "--sent", "--json"))
    assert sum(row["state"] != "refused" for row in own) == 5, own
    card = line.folder / "lost.card"
    result = run_into("/dev/full", alliance, "card", "export", card, "--json")
    assert result.returncode == 1 and "all the same the card was written" in result.stderr and card.exists(), result


def said_of(*words, status=1, **options):
    result = line.alliance.run(*words, **options)
    sentences = SAID.findall(result.stderr)
    assert result.returncode == status and len(sentences) == 1 and not result.stdout, result
    return sentences[0]


def what_is_wrong_with_a_file_is_said_of_that_file():
    folder, party = line.folder, line.alliance.folder / "party"
    text, link = folder / "text", folder / "link"
    text.write_text("no such thing\n" * 20)
    link.symlink_to(text)
    new = folder / "new"
    assert "cannot read" in said_of("verify", new) and "No such file" in said_of("verify", new)
    for words in (["verify", folder], ["restore", folder, new], ["card", "show", folder], ["send", folder, "--yes"]):
        assert said_of(*words).endswith(f"{folder} is not a regular file"), words
    assert "cannot be read as an export" in said_of("verify", text)
    assert "standard input cannot be read as an export" in said_of("verify", "-", stdin="no such thing")
    for path in (text, link):
        assert "this is no backup" in said_of("restore", path, new), path
    assert f"{text} exists already: nothing was written" in said_of("backup", text)
    assert f"{text} has more than the 133 bytes" in said_of("keying", "accept", text)
    text_size_max = 65536
    text.write_text("x" * (text_size_max + 2))
    assert f"{text} has more than the {text_size_max} bytes" in said_of("send", text, "--yes")
    assert f"standard input has more than the {text_size_max} bytes" in said_of("send", "--yes", stdin="x" * (text_size_max + 2))
    sentence = said_of("send", "-m", "text", "--yes", LIAISON_OFFICER=str(party / "authority.key"))
    assert "another kind: an officer key file is needed here" in sentence, sentence
    assert "--node NODE" in said_of("post", "create", new, "--name", "Annex", "--kind", "foo", status=2)
    assert "--name NAME" in said_of("post", "create", new, "--node", "ipn:3.0", status=2)
    assert not new.exists()


def an_export_can_come_from_standard_input():
    export = line.alliance.text("log", "--json")
    assert line.alliance.json("verify", "-", stdin=export)["verified"] is True


def times_are_told_in_whole_units_and_what_is_due_by_when():
    text = line.alliance.text("channel", "show")
    assert "receipt due within ROUTINE 6 h, PRIORITY 3 h, IMMEDIATE 30 min, FLASH 10 min\n" in text, text
    assert "heads every 10 s; window 14 d\n" in text, text
    asked = line.alliance.send("By then.", "--ack-by", "+30")
    line.wait_until_held(line.federation, asked)
    assert re.search(r"^our acknowledgment is due by \d{6}Z [A-Z]{3} \d\d$", line.federation.text("show", asked), re.MULTILINE)


def a_qr_code_is_whole_and_coloured_only_where_that_is_wanted():
    def card(columns, **environment):
        command = [str(line.programs["liaison"]), "card", "show", str(line.federation.folder / "card")]
        text, status = shown_on_terminal(command, {**os.environ, **SANITIZER, "TERM": "xterm", **environment}, columns)
        assert status == 0, text
        return text

    full = card(80)
    assert "\x1b[30;47m" in full and "\u2584" in full, full
    for environment in ({"TERM": "dumb"}, {"NO_COLOR": "1"}):
        plain = card(80, **environment)
        assert "\x1b" not in plain and plain == re.sub("\x1b\\[[0-9;]*m", "", full), plain
    wide = max(len(row) for row in plain.splitlines() if set("\u2580\u2584\u2588") & set(row))
    assert "\u2584" in card(wide) and "neighbour" in card(wide - 1)
    narrow = card(wide - 1)
    assert not set("\x1b\u2580\u2584\u2588") & set(narrow) and f"{wide} columns" in narrow, narrow


def a_post_that_has_just_started_takes_nothing_before_its_courier_is_there():
    alliance = line.alliance
    assert alliance.end() == [0, 0]
    alliance.start_post()
    result = alliance.run("send", "-m", "Too early.", "--yes")
    assert result.returncode == 1, result
    assert SAID.findall(result.stderr)[-1].endswith("start its courier, and try again"), result
    alliance.courier.start()
    wait_for(lambda: alliance.run("send", "-m", "In time.", "--yes").returncode == 0, "it takes what is sent")
    texts = [alliance.show(row["reference"]).get("text") for row in json.loads(alliance.text("inbox", "--sent", "--json"))]
    assert "In time." in texts and "Too early." not in texts, texts


if __name__ == "__main__":
    with Line(pathlib.Path(sys.argv[1])) as line:
        for side in line.sides:
            key = side.folder / "officer.key"
            key.write_bytes(make_quick_secret_file(key.read_bytes(), passphrase_of(side)))
        run_tests(
            what_a_command_line_has_wrong_ends_with_two,
            each_command_takes_the_options_that_mean_something_to_it,
            terms_that_stand_are_not_set_again,
            a_numbered_list_in_the_help_keeps_its_lines,
            what_could_not_be_printed_is_no_success,
            what_was_done_all_the_same_is_said,
            what_is_wrong_with_a_file_is_said_of_that_file,
            an_export_can_come_from_standard_input,
            times_are_told_in_whole_units_and_what_is_due_by_when,
            a_qr_code_is_whole_and_coloured_only_where_that_is_wanted,
            a_post_that_has_just_started_takes_nothing_before_its_courier_is_there,
        )
