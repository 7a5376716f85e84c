"""Setting up: what is declined, mistaken or refused leaves nothing half-made behind: usage: test_setup.py BUILD"""

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time

from between import lost_at
from line import SANITIZER, Daemon, Line, export_card_of_stranger, wait_for
from officer import open_secret_file
from post_shell import KEYING_ACCEPT, run_tests
from terminal import Terminal

SAID = re.compile(r"^liaison: [^\n]{8,400}$", re.MULTILINE)

line = None


class SettingUp(Line):
    """Two parties, each with a post that runs; nothing has been exchanged yet."""

    def set_up(self):
        for side in self.sides:
            side.make()

    def configure(self):
        pass

    def start(self):
        pass


def at_terminal(side, words, answers):
    """Runs a command at a terminal of its own, and answers its questions in turn: exit status and all that was shown."""
    process, terminal = pty.fork()
    if process == 0:
        os.environ.update({**SANITIZER, **side.environment})
        program = str(side.line.programs["liaison"])
        os.execv(program, [program, *map(str, words)])
    shown, left = b"", list(answers)
    end = time.monotonic() + 60
    with contextlib.suppress(OSError):  # the terminal is closed at its end
        while time.monotonic() < end:
            if select.select([terminal], [], [], 0.2)[0]:
                data = os.read(terminal, 65536)
                if not data:
                    break
                shown += data
            if left and shown.count(b"[y/N] ") > len(answers) - len(left):
                os.write(terminal, left.pop(0).encode() + b"\n")
    os.close(terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return status, shown.decode().replace("\r\n", "\n")


def refused(side, *words, status=1, **environment):
    """The one sentence with which a command is refused."""
    result = side.run(*words, **environment)
    sentences = SAID.findall(result.stderr)
    assert result.returncode == status and len(sentences) == 1, (words, result)
    return sentences[0]


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


# ---- what is declined ----


def a_party_that_is_declined_is_not_made():
    side, folder = line.alliance, line.folder / "third"
    words = ["party", "create", folder, "--name", "Third"]
    status, shown = at_terminal(side, words, ["n"])
    assert not folder.exists()
    assert status == 1 and "Sign this?" in shown and "you did not say yes" in shown, shown
    folder.mkdir(mode=0o700)
    assert at_terminal(side, words, ["no"])[0] == 1
    assert not list(folder.iterdir())
    assert "there is no party" in refused(side, "officer", "create", line.folder / "x.key", "--name", "X", "--party", folder)
    assert at_terminal(side, words, ["y"])[0] == 0
    assert side.json("party", "show", "--party", folder)["name"] == "Third"


def a_post_that_is_declined_is_not_named():
    side, folder = line.alliance, line.folder / "annex"
    words = ["post", "create", folder, "--name", "Annex", "--node", "ipn:1002.0", "--pin", "00" * 32]
    before = contents(side.folder / "party")
    status, shown = at_terminal(side, words, ["n"])
    assert not folder.exists() and contents(side.folder / "party") == before
    assert status == 1 and "you did not say yes" in shown, shown
    full = line.folder / "full"
    full.mkdir()
    (full / "file").touch()
    words[2] = full
    assert "not empty" in refused(side, *words, "--yes")
    (full / "file").unlink()
    if os.geteuid() == 0:
        os.chown(full, 12345, 12345)
        assert "belongs to another user" in refused(side, *words, "--yes")
    assert contents(side.folder / "party") == before


def an_officer_whose_name_is_not_fit_leaves_no_key():
    side, key = line.alliance, line.folder / "second.key"
    for name, title in (("two\nlines", "watch officer"), ("B. Two", "red \x1b[31m"), ("", "")):
        refused(side, "officer", "create", key, "--name", name, "--title", title, status=2)
        assert not key.exists()
    assert side.json("party", "show")["officers"] == 1


def a_directory_without_a_post_is_left_as_it_is():
    folder = line.folder / "empty"
    folder.mkdir(mode=0o700)
    result = subprocess.run(
        [str(line.programs["liaisond"]), "--dir", str(folder)], capture_output=True, encoding="utf-8", timeout=20,
        env={**os.environ, **SANITIZER})
    assert result.returncode == 1 and "there is no post" in result.stderr, result
    assert not list(folder.iterdir())


def secrets_that_others_may_read_are_refused():
    side = line.alliance
    authority, officer, passphrase = (side.folder / name for name in ("party/authority.key", "officer.key", "passphrase"))
    new = ["officer", "create", line.folder / "x.key", "--name", "X"]
    post = ["post", "create", line.folder / "x", "--name", "X", "--node", "ipn:7.0", "--pin", "00" * 32, "--yes"]
    for file, words in ((authority, post), (officer, ["send", "-m", "text"]), (passphrase, new), (passphrase, post)):
        for mode in (0o640, 0o604, 0o622):
            file.chmod(mode)
            assert f"chmod 600 {file}" in refused(side, *words)
        file.chmod(0o600)
    assert not (line.folder / "x").exists() and not (line.folder / "x.key").exists()


# ---- what the authority would sign ----


def a_post_is_named_only_as_others_can_use_it():
    side, new = line.alliance, line.folder / "new"
    before = contents(side.folder / "party")
    good = {"--name": "Annex", "--node": "ipn:1002.0", "--pin": "00" * 32}

    def create(**changes):
        options = {**good, **{f"--{name}": value for name, value in changes.items()}}
        return ["post", "create", new, *(word for option in options.items() for word in option), "--yes"]

    for node in ("zzz", "ipn:0.0", "ipn:1002", "ipn:1002.1", "ipn:01002.0", "ipn:4294967295.0", "ipn:1.2.0.0", "dtn:none",
                 "dtn://annex", "dtn://annex/x", "dtn:///", "dtn://an nex/", "dtn://" + "n" * 121 + "/", ""):
        assert "no node id" in refused(side, *create(node=node), status=2), node
    for address in ("not an address!", "192.0.2.1", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.300:1", "::1:4556",
                    "[::1]", "host.example:4556", ":4556", ""):
        assert "no address" in refused(side, *create(address=address), status=2), address
    for name in ("A/B 1", "A/B", "Annex 1", "Annex/26", "Annex.2", " Annex", "Annex ", "two\nlines", "x" * 65, ""):
        assert "references that cannot be read" in refused(side, *create(name=name), status=2), name
    assert "name already" in refused(side, *create(name="HEADquarters"))
    assert "node id already" in refused(side, *create(node="ipn:1001.0"))
    assert not new.exists() and contents(side.folder / "party") == before


# ---- keys that are carried ----


def a_keying_with_one_whose_card_is_not_held_can_be_accepted_later():
    alliance, federation = line.sides
    carried = line.folder / "keying"
    party = federation.folder / "party"
    before = contents(party)
    alliance.json("card", "accept", federation.folder / "card", "--yes")
    alliance.json("keying", "make", carried, "--with", "Federation")
    root = carried.read_bytes()
    assert "card first" in refused(federation, "keying", "accept", carried)
    assert contents(party) == before and carried.read_bytes() == root
    federation.post.end()
    refused(federation, "keying", "accept", carried)
    assert contents(party) == before and carried.read_bytes() == root
    federation.start_post()
    federation.json("card", "accept", alliance.folder / "card", "--yes")
    federation.json("keying", "accept", carried, "--keep")
    assert len(contents(party)) == len(before) + 1
    # As if the first time had been cut off before the end:
    federation.json("keying", "accept", carried)
    assert len(contents(party)) == len(before) + 1 and not carried.exists()


def a_keying_that_is_interrupted_leaves_no_root_behind():
    """At the question for a passphrase: no root lies about, and its number is still free."""
    alliance = line.alliance
    carried, party = line.folder / "carried", alliance.folder / "party"
    before = contents(party)
    environment = {**os.environ, **SANITIZER, **alliance.environment}
    del environment["LIAISON_PASSPHRASE_FILE"]
    words = ["keying", "make", str(carried), "--with", "Federation", "--number", "2"]
    with Terminal([str(line.programs["liaison"]), *words], line.folder, environment) as terminal:
        terminal.until("New passphrase for")
        assert not carried.exists()
        terminal.interrupt()
        terminal.end(20)
    assert not carried.exists() and contents(party) == before
    nowhere = line.folder / "no such folder" / "keying"
    assert str(nowhere) in refused(alliance, "keying", "make", nowhere, *words[3:])
    assert contents(party) == before
    carried.write_bytes(b"something else")
    assert "exists already" in refused(alliance, *words)
    assert contents(party) == before and carried.read_bytes() == b"something else"
    carried.unlink()


def an_interrupted_question_leaves_the_terminal_as_it_was():
    """What ends the program while it asks for a passphrase leaves no terminal that hides what is typed; Ctrl-Z does not pass."""
    environment = {**os.environ, **SANITIZER, **line.alliance.environment}
    del environment["LIAISON_PASSPHRASE_FILE"]
    words = ["officer", "create", str(line.folder / "nobody.key"), "--name", "Nobody"]
    for number in signal.SIGINT, signal.SIGTERM, signal.SIGHUP:
        with Terminal([str(line.programs["liaison"]), *words], line.folder, environment) as terminal:
            def shows(terminal=terminal):
                return termios.tcgetattr(terminal.terminal)[3] & termios.ECHO != 0

            terminal.until("New passphrase for")
            wait_for(lambda: not shows(), "what is typed is hidden", 10)
            terminal.type("\x1a")
            if number == signal.SIGINT:
                terminal.interrupt()
            else:
                os.kill(terminal.process, number)
            assert terminal.end(20)[0] == -number and shows(), number
    assert not (line.folder / "nobody.key").exists()


def a_root_is_written_only_when_the_post_holds_its_part():
    """The post is lost before it has taken its part: then there is no FILE, and the next try has the same number."""
    alliance, folder = line.alliance, line.folder / "played"
    carried, party = line.folder / "carried", alliance.folder / "party"
    before = contents(party)
    seen = []
    with lost_at(KEYING_ACCEPT, alliance.path("post.sock"), folder, lambda: seen.append(carried.exists())):
        result = alliance.run("keying", "make", carried, "--with", "Federation", "--number", "2",
                              LIAISON_POST=str(folder))
    assert result.returncode == 1 and seen == [False] and not carried.exists(), (result, seen)
    assert contents(party) == before


def a_second_keying_has_the_next_number():
    alliance, federation = line.sides
    carried, party = line.folder / "second", alliance.folder / "party"
    before = contents(party)
    assert "--number 2" in refused(alliance, "keying", "make", carried, "--with", "Federation")
    assert not carried.exists() and contents(party) == before
    alliance.json("keying", "make", carried, "--with", "Federation", "--number", "2")
    federation.json("keying", "accept", carried)
    reserve = next(path for path in party.iterdir() if path.name.startswith("keying-2-"))
    reserve.unlink()
    before = contents(party)
    sentence = refused(alliance, "keying", "make", carried, "--with", "Federation", "--number", "2")
    assert "or a later one" in sentence  # the post has it: nothing of this one is kept
    assert not carried.exists() and contents(party) == before


def a_keying_whose_acceptance_was_cut_off_can_be_accepted_again():
    """The post of one is lost before it takes its part, that of the next after it: both end, and neither says too much."""
    alliance, federation = line.sides
    post, party = federation.path("post.sock"), federation.folder / "party"
    for number, taken in ((3, False), (4, True)):
        carried, folder = line.folder / f"carried-{number}", line.folder / f"cut-off-{number}"
        before = set(contents(party))
        alliance.json("keying", "make", carried, "--with", "Federation", "--number", str(number))
        with lost_at(KEYING_ACCEPT, post, folder, taken=taken):
            refused(federation, "keying", "accept", carried, LIAISON_POST=str(folder))
        assert carried.exists() and len(set(contents(party)) - before) == 1
    before = contents(party)
    for number in (4, 3):
        carried = line.folder / f"carried-{number}"
        result = federation.run("keying", "accept", carried)
        assert result.returncode == 0 and "is accepted" not in result.stdout, result
        assert f"holds keying {number} or a later one" in result.stdout, result
        assert not carried.exists() and contents(party) == before


def a_further_post_is_given_keys_by_a_keying_of_its_own():
    alliance, federation = line.sides
    folder, carried = line.folder / "annex", line.folder / "third-keying"
    at_annex = {"LIAISON_POST": str(folder)}
    alliance.json("post", "create", folder, "--name", "Annex", "--node", "ipn:1002.0", "--pin", "00" * 32, "--yes")
    annex = Daemon(line.programs["liaisond"], folder, line.folder / "annex.log")
    annex.start()
    try:
        wait_for(lambda: alliance.run("card", "show", **at_annex).returncode == 0, "the further post answers")
        alliance.json("card", "accept", federation.folder / "card", "--yes", **at_annex)
        alliance.json("keying", "make", carried, "--with", "Federation", "--number", "5", **at_annex)
        federation.json("keying", "accept", carried)
        card = line.folder / "annex.card"
        alliance.json("card", "export", card, **at_annex)
        assert "own card" in refused(alliance, "card", "accept", card, "--yes", **at_annex)
        alliance.json("card", "accept", card, "--yes")  # to its sibling, that card is news
    finally:
        assert annex.end() == 0


def the_own_card_is_not_for_oneself():
    for side in line.sides:
        assert "own card" in refused(side, "card", "accept", side.folder / "card", "--yes")


# ---- the courier ----


def a_courier_says_what_it_was_not_told():
    folder = line.folder / "idle"
    courier = Daemon(line.programs["liaison-courierd"], folder, line.folder / "idle.log")
    subprocess.run([*courier.command, "--init", "--node", "ipn:5.0"], check=True, capture_output=True, timeout=30)
    configuration = folder / "courier.conf"
    for more, expected in (
            ("", ["no `post`", "no `neighbour`"]),
            ("neighbour other node ipn:6.0 pin " + "ab" * 32, ["no `post`", "no `listen`"])):
        configuration.write_text(f"node ipn:5.0\n{more}\n")
        courier.log_file.unlink(missing_ok=True)
        courier.start()
        wait_for(lambda: all(words in courier.log() for words in expected), f"the courier says {expected}", 20)
        assert courier.end() == 0
        said = [row for row in courier.log().splitlines() if "courier.conf" in row]
        assert len(said) == 2, said


# ---- the channel ----


def what_was_signed_before_one_declines_is_said():
    alliance = line.alliance
    status, shown = at_terminal(alliance, ["channel", "open", "--with", "Federation"], ["y", "n"])
    entries = alliance.json("log")["entries"]
    assert status == 1 and len(entries) == 1, (status, shown)
    assert f"{entries[0]['reference']} was signed and entered before that" in shown, shown
    assert "nothing was signed" not in shown
    status, shown = at_terminal(alliance, ["channel", "open", "--with", "Federation"], ["n"])
    assert status == 1 and "before that" not in shown, shown
    assert alliance.json("channel", "open", "--with", "Federation", "--yes")["letters_signed"] == 1


def a_title_that_is_made_of_names_is_cut_between_characters():
    alliance, card, name = line.alliance, line.folder / "north.card", "\u00e4" * 32
    export_card_of_stranger(alliance, card, name, "ipn:3001.0")
    alliance.json("card", "accept", card, "--yes")
    alliance.json("keying", "make", line.folder / "north.keying", "--with", name)
    status, shown = at_terminal(alliance, ["channel", "open", "--with", name], ["n"])
    assert status == 1 and re.search("Alliance - \u00e4{26}(?!\u00e4)", shown), (status, shown)


# ---- passphrases ----


def a_passphrase_is_taken_whole_or_not_at_all():
    """What was cut would open with less than its owner typed; so from a file and from the terminal alike."""
    side, key, file = line.alliance, line.folder / "third.key", line.folder / "long-passphrase"
    words = ["officer", "create", key, "--name", "Third"]
    file.touch(mode=0o600)
    for unfit in (b"x" * 1025, b"x" * 5000 + b"\n", b"several\0words\n", b"several words\0"):
        file.write_bytes(unfit)
        sentence = refused(side, *words, LIAISON_PASSPHRASE_FILE=str(file))
        assert "more than 1024 bytes, or a NUL among them, and is not taken in part" in sentence, (unfit, sentence)
        assert not key.exists(), unfit
    file.write_bytes(b"\n")
    assert "shorter than 8 bytes" in refused(side, *words, LIAISON_PASSPHRASE_FILE=str(file))
    for end in (b"\n", b"\r\n", b""):
        file.write_bytes(b"x" * 1024 + end)
        side.json(*words, LIAISON_PASSPHRASE_FILE=str(file))
        assert open_secret_file(key.read_bytes(), b"x" * 1024)[0] == "officer key"
        key.unlink()

    environment = {**os.environ, **SANITIZER, **side.environment}
    del environment["LIAISON_PASSPHRASE_FILE"]
    command = [str(line.programs["liaison"]), *map(str, words)]

    def answer(terminal, question, text):
        terminal.until(question)
        # What is typed before is thrown away.
        wait_for(lambda: termios.tcgetattr(terminal.terminal)[3] & termios.ECHO == 0, "what is typed is hidden", 10)
        terminal.type(text + "\n")

    with Terminal(command, line.folder, environment) as terminal:
        answer(terminal, "New passphrase for", "x" * 1025)
        assert terminal.end(20)[0] == 1 and terminal.said.count("liaison: ") == 1 and "1024 bytes" in terminal.said, terminal.said
    with Terminal(command, line.folder, environment) as terminal:
        for question in ("New passphrase for", "Again, for"):
            answer(terminal, question, "y" * 1024)
        assert terminal.end(20)[0] == 0, terminal.said
    assert open_secret_file(key.read_bytes(), b"y" * 1024)[0] == "officer key"


# ---- names that are alike ----


def a_party_that_is_called_like_another_is_not_taken_for_it():
    alliance, federation = line.sides
    known = {name: side.json("party", "show")["party"] for name, side in (("FEDERATION", federation), ("alliance", alliance))}
    accepted = []
    for name, node in (("FEDERATION", "ipn:3002.0"), ("alliance", "ipn:3003.0")):
        card = line.folder / f"{name}.card"
        party = export_card_of_stranger(alliance, card, name, node)
        accept = ["card", "accept", card]
        sentence = refused(alliance, *accept, "--yes")
        assert party in sentence and known[name] in sentence and "--id" in sentence, sentence
        for wrong in known[name], party[:29], party[:30] + "g", party + "0", "":
            assert "does not begin with" in refused(alliance, *accept, "--yes", "--id", wrong), wrong
        status, shown = at_terminal(alliance, accept, ["y"])
        shown = re.sub(r"\s", "", shown)
        assert status == 1 and party in shown and known[name] in shown[shown.index("[y/N]"):], shown
        assert "no card of a party" in refused(alliance, "keying", "make", line.folder / "k", "--with", party)
        alliance.json(*accept, "--yes", "--id", party[:30].upper())
        alliance.json(*accept, "--yes")  # known by now
        accepted.append(party)
    sentence = refused(alliance, "keying", "make", line.folder / "k", "--with", "Federation")
    assert "more than one party is called 'Federation'" in sentence, sentence
    for party in known["FEDERATION"], accepted[0]:
        assert f"({party[:8]})" in sentence, sentence
    alliance.json("keying", "make", line.folder / "k", "--with", accepted[0][:8])


if __name__ == "__main__":
    with SettingUp(sys.argv[1], fresh=True) as line:
        run_tests(
            a_party_that_is_declined_is_not_made,
            a_post_that_is_declined_is_not_named,
            an_officer_whose_name_is_not_fit_leaves_no_key,
            a_directory_without_a_post_is_left_as_it_is,
            secrets_that_others_may_read_are_refused,
            a_post_is_named_only_as_others_can_use_it,
            a_keying_with_one_whose_card_is_not_held_can_be_accepted_later,
            a_keying_that_is_interrupted_leaves_no_root_behind,
            an_interrupted_question_leaves_the_terminal_as_it_was,
            a_root_is_written_only_when_the_post_holds_its_part,
            a_second_keying_has_the_next_number,
            a_keying_whose_acceptance_was_cut_off_can_be_accepted_again,
            the_own_card_is_not_for_oneself,
            a_courier_says_what_it_was_not_told,
            what_was_signed_before_one_declines_is_said,
            a_further_post_is_given_keys_by_a_keying_of_its_own,
            a_title_that_is_made_of_names_is_cut_between_characters,
            a_passphrase_is_taken_whole_or_not_at_all,
            a_party_that_is_called_like_another_is_not_taken_for_it,
        )
