"""What an officer meets at the command line on a whole line: usage: test_officer.py BUILD"""

import json
import os
import pathlib
import re
import subprocess
import sys
import time

from between import lost_at
from line import SANITIZER, Line, wait_for
from officer import Officer
from post_shell import SUBMIT, run_tests
from terminal import Terminal

line = None


def what_is_not_acknowledged_in_time_is_overdue_on_both_sides():
    alliance, federation = line.sides
    officer = Officer(alliance)
    soon = int(time.time()) + 2
    message = officer.send("Acknowledge this at once.", ack_by=soon)[3]
    officer.close()
    line.wait_until_held(federation, message)
    line.wait_for_state(alliance, message, "received")

    def stands(side):
        row = side.show(message)
        listed = [each for each in side.json("inbox", *(["--sent"] if side is alliance else [])) if each["reference"] == message]
        assert [each["overdue"] for each in listed] == [row["overdue"]]
        return row["acknowledgment_due"], row["overdue"], side.status()["channels"][0]["overdue"]

    nothing = {"receipts": 0, "acknowledgments": 0, "owed": 0}
    assert alliance.show(message)["acknowledgment_due"] == soon and alliance.show(message)["receipt_due"] is None
    wait_for(lambda: time.time() > soon + 1, "the time is past")
    assert stands(alliance) == (soon, ["acknowledgment"], {**nothing, "acknowledgments": 1})
    assert stands(federation) == (soon, ["acknowledgment"], {**nothing, "owed": 1})
    for side, words in ((alliance, "of ours without the acknowledgment"), (federation, "that we have not acknowledged")):
        assert words in side.text("status"), side.text("status")
        assert ": OVERDUE\n" in side.text("show", message)
    assert "ACKNOWLEDGMENT OVERDUE" in federation.text("inbox", "--unread")
    federation.json("ack", message, "--yes")
    line.wait_for_state(alliance, message, "read")
    assert stands(alliance) == stands(federation) == (None, [], nothing)
    assert "OVERDUE" not in federation.text("status") + federation.text("show", message) + alliance.text("show", message)


def a_daemon_that_goes_away_in_the_middle_of_sending_is_told_as_just_that():
    folder = line.folder / "between"
    with lost_at(SUBMIT, line.alliance.path("post.sock"), folder):
        result = line.alliance.run("send", "-m", "Taken or not?", "--yes", LIAISON_POST=str(folder))
    assert result.returncode == 1 and "may have taken this or not: look at inbox --sent" in result.stderr, result


def sending_from_a_terminal_says_what_it_waits_for():
    master, slave = os.openpty()
    with open(line.folder / "typed", "w+b") as said:
        sender = subprocess.Popen(
            [str(line.programs["liaison"]), "send", "--yes"], stdin=slave, stdout=subprocess.DEVNULL, stderr=said,
            env={**os.environ, **line.alliance.environment, "ASAN_OPTIONS": "detect_leaks=0"})
        wait_for(lambda: b"Ctrl-D" in pathlib.Path(said.name).read_bytes(), "it says how to end")
        os.write(master, b"Typed at a terminal.\n\x04")
        assert sender.wait(30) == 0
    os.close(master)
    os.close(slave)


def a_text_of_another_system_is_sent_and_what_cannot_be_is_named():
    alliance = line.alliance
    file = line.folder / "text"
    file.write_bytes(b"\xef\xbb\xbfFirst line.\r\n\r\nThird line.\r\n")
    result = alliance.run("send", file, "--json", "--yes")
    assert result.returncode == 0 and "another system" in result.stderr, result
    assert alliance.show(json.loads(result.stdout)["reference"])["text"] == "First line.\n\nThird line."
    for text, where in ((b"Ring \x07 here.", "line 1, column 6 of the text is <U+0007>"),
                        ("Zażółć\nmorze \u202e.".encode(), "line 2, column 7 of the text is <U+202E>"),
                        (b"one\r\ntwo\r", "line 2, column 4 of the text is <U+000D>"),
                        (b"one\n\xff\xfe>", "line 2, column 1 of the text is <FF>"),
                        (b"one \xef\xbb\xbf", "line 1, column 5 of the text is <U+FEFF>"),
                        (b"\xef\xbb\xbf\r\n", "no text to send"), (b"  \n\n \t\r\n\n", "no text to send")):
        file.write_bytes(text)
        result = alliance.run("send", file, "--yes", LIAISON_PASSPHRASE_FILE="/nonexistent")
        assert result.returncode == 1 and where in result.stderr, (text, result)


def what_cannot_be_sent_or_asked_is_told_with_the_way_out():
    def said(*words):
        result = line.alliance.run(*words)
        assert result.returncode == 1, result
        return result.stderr

    assert "201 words are too long for FLASH (200 words at most): shorten it, or send it PRIORITY" in \
        said("send", "-p", "flash", "-m", "word " * 201, "--yes")
    assert "6401 bytes are too long for FLASH (6400 bytes at most, 32 for each of 200 words): shorten it" in \
        said("send", "-p", "flash", "-m", "w" * 6401, "--yes")
    line.alliance.send("w" * 6400, "-p", "flash")
    sent = len(line.alliance.json("inbox", "--sent"))
    # There is no terminal: the sentence names what would have been asked, of each command.
    shown = said("send", "-m", "Shown.")
    assert "Shown." in shown and "no terminal to ask 'Sign this?' on: add --yes if you say yes to that" in shown, shown
    shown = said("send", "-m", "Shown.", "--json")
    assert "Shown." in shown and "no terminal to ask 'Sign this?' on: add --yes if you say yes to that" in shown, shown
    card = said("card", "accept", line.federation.folder / "card")
    assert "'Has the other side read you these same words over a line where you know the voice?' on: add --yes" in card, card
    assert "sign" not in card.lower(), card
    assert len(line.alliance.json("inbox", "--sent")) == sent


def the_time_of_a_message_is_that_of_its_signing():
    with subprocess.Popen(
            [str(line.programs["liaison"]), "send", "--yes", "--json", "--ack-by", "+30"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, **SANITIZER, **line.alliance.environment}) as sender:
        time.sleep(1.5)  # the officer still writes
        written = int(time.time())
        said = sender.communicate(b"Late.", 30)[0]
    message = line.alliance.show(json.loads(said)["reference"])
    assert message["time"] >= written and message["acknowledgment_due"] == message["time"] + 1800, (written, message)


def an_answer_goes_at_the_precedence_of_what_it_answers():
    alliance, federation = line.sides
    message = federation.send("Answer this.", "-p", "flash")
    line.wait_until_held(alliance, message)
    answer = alliance.json("reply", message, "-m", "At once.", "--yes")["reference"]
    assert alliance.show(answer)["precedence"] == "FLASH"
    result = alliance.run("reply", message, "-m", "word " * 201, "--yes", "--json")
    assert f"{message} is FLASH; this answer goes PRIORITY" in result.stderr, result
    assert alliance.show(json.loads(result.stdout)["reference"])["precedence"] == "PRIORITY"
    for words in (["reply", message, "-m", "To myself."], ["ack", message]):
        result = federation.run(*words, "--yes", LIAISON_PASSPHRASE_FILE="/nonexistent")
        assert result.returncode == 1 and f"{message} is our own" in result.stderr, result


def with_json_too_nobody_is_asked_about_what_he_was_not_shown():
    """What is signed, and the words of a card, stand on the terminal before the question; the JSON stands alone."""
    alliance, federation = line.sides
    out = line.folder / "out.json"
    environment = {**os.environ, **SANITIZER, **alliance.environment}

    def answered(answer, question, *words, into=out):
        command = [str(line.programs["liaison"]), *map(str, words)]
        with Terminal(["sh", "-c", f'exec "$0" "$@" > {into}', *command], line.folder, environment) as terminal:
            if question is not None:
                terminal.until(re.escape(question) + r" \[y/N\] ")
                terminal.type(answer)
            status = terminal.end(30)[0]
            return terminal.said.replace("\n", " "), status

    message = federation.send("Is this ours?", "-p", "flash")
    line.wait_until_held(alliance, message)
    sent = len(alliance.json("inbox", "--sent"))
    for words, shown in ((["send", "-p", "flash", "-m", "Launch detected"], ("FLASH", "Launch detected")),
                         (["reply", message, "-m", "Not ours."], ("FLASH", "Not ours.")),
                         (["ack", message, "--note", "seen"], ("ACKNOWLEDGMENT", "seen"))):
        said, status = answered("n\n", "Sign this?", *words, "--json")
        assert status == 1 and "did not say yes" in json.loads(out.read_text())["error"], said
        assert all(word in said for word in shown), said
        said, status = answered("y\n", "Sign this?", *words, "--json")
        assert status == 0 and all(word in said for word in shown), said
        assert json.loads(out.read_text())["reference"] not in said
        with_yes = alliance.run(*words, "--json", "--yes") if words[0] != "ack" else None
        assert with_yes is None or all(word in with_yes.stderr for word in shown), with_yes
    assert len(alliance.json("inbox", "--sent")) == sent + 4  # an acknowledgment is no message

    card, question = federation.folder / "card", "Has the other side read you these same words over a line where you know the voice?"
    words = alliance.json("card", "show", card)["fingerprint"].replace("\n", " ")
    said, status = answered("y\n", question, "card", "accept", card, "--json")
    assert status == 0 and words in said and json.loads(out.read_text())["accepted"] is True, said
    said, status = answered(None, None, "card", "accept", card, into="/dev/full")
    assert status == 1 and "[y/N]" not in said and "the output cannot be written" in said, said


def without_standard_error_nothing_goes_astray():
    """Its number is not that of the socket to the post; and who cannot be shown what he signs is not asked."""
    alliance, program = line.alliance, str(line.programs["liaison"])
    environment = {**os.environ, **SANITIZER, **alliance.environment}
    result = subprocess.run([program, "send", "-m", "Silent.", "--yes", "--json"], stdout=subprocess.PIPE, env=environment,
                            preexec_fn=lambda: os.close(2), timeout=30)
    assert result.returncode == 0 and json.loads(result.stdout)["reference"], result
    sent = len(alliance.json("inbox", "--sent"))
    with Terminal(["sh", "-c", f"exec {program} send -m Unseen 2>&-"], line.folder, environment) as terminal:
        terminal.type("y\n")
        assert terminal.end(30)[0] == 1
    assert len(alliance.json("inbox", "--sent")) == sent


if __name__ == "__main__":
    with Line(sys.argv[1]) as line:
        run_tests(
            what_is_not_acknowledged_in_time_is_overdue_on_both_sides,
            a_daemon_that_goes_away_in_the_middle_of_sending_is_told_as_just_that,
            sending_from_a_terminal_says_what_it_waits_for,
            a_text_of_another_system_is_sent_and_what_cannot_be_is_named,
            what_cannot_be_sent_or_asked_is_told_with_the_way_out,
            the_time_of_a_message_is_that_of_its_signing,
            an_answer_goes_at_the_precedence_of_what_it_answers,
            with_json_too_nobody_is_asked_about_what_he_was_not_shown,
            without_standard_error_nothing_goes_astray,
        )
