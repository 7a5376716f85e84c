"""What `liaison watch` says, rings and runs, against a post that this program plays: usage: watch.py LIAISON"""

import contextlib
import json
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import cbor2

from post_shell import run_tests

LIAISON = os.path.abspath(sys.argv[1])
NAME = "X$(id)`id`;|&<>\"'\\*?[](){}!#~=%"
LIMIT_S = 20
AGAIN_S = 10  # how often an unacknowledged FLASH rings
ROUTINE, FLASH = 1, 4
RECEIVED, READ = 4, 5
SUBSCRIBE, ENTRIES, ENTRY = 15, 11, 12
ARRIVED = 1
RECEIVED_MESSAGES, AWAITED = 2, 4


def wait_for(condition, what, seconds=LIMIT_S):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it took more than {seconds} seconds until {what}"
        time.sleep(0.02)


def row(number, precedence, state=RECEIVED, name="EMBASSY", own=False, receipt_due=None, acknowledgment_due=None):
    return [b"\x01" * 32, 64, 1, number - 1, f"{name} {number:04}/26", bytes([number]) * 32, 1, precedence, 1795320300, "", 1,
            "Officer", own, state, 1795320300000, [], receipt_due, acknowledgment_due]


class Watch:
    """A watch, and the post that it asks. `unread`: rows that the post holds when it begins."""

    def __init__(self, *options, unread=()):
        self.folder = tempfile.TemporaryDirectory(prefix="liaison-watch-")
        self.told = pathlib.Path(self.folder.name, "told")
        self.rows = {each[3]: each for each in unread}
        self.awaited = []
        self.asked = []  # verb, or for ENTRIES the selection
        self.lock = threading.Lock()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.folder.name + "/post.sock")
            listener.listen(1)
            listener.settimeout(LIMIT_S)
            self.out = open(self.folder.name + "/out", "w+", encoding="utf-8")
            self.rung = open(self.folder.name + "/rung", "w+", encoding="utf-8")
            self.process = subprocess.Popen(
                [LIAISON, "watch", "--post", self.folder.name, *options], stdin=subprocess.DEVNULL, stdout=self.out,
                stderr=self.rung, env={**os.environ, "TOLD": str(self.told)})
            self.connection = listener.accept()[0]
        self.server = threading.Thread(target=self.serve, args=(list(unread),))
        self.server.start()
        wait_for(lambda: "entries 2" in self.asked, "the watch has asked for what came")

    def send(self, item):
        content = cbor2.dumps(item)
        with self.lock:
            self.connection.sendall(struct.pack(">I", len(content)) + content)

    def read(self):
        size = struct.unpack(">I", self.connection.recv(4, socket.MSG_WAITALL))[0]
        return cbor2.loads(self.connection.recv(size, socket.MSG_WAITALL))

    def serve(self, unread):
        with contextlib.suppress(OSError, struct.error):
            while True:
                number, verb, *arguments = self.read()
                if verb == SUBSCRIBE:
                    self.send([number, 0])
                elif verb == ENTRIES and arguments[1] in (RECEIVED_MESSAGES, AWAITED):
                    self.send([number, 0, unread if arguments[1] == RECEIVED_MESSAGES else self.awaited, b""])
                elif verb == ENTRY:
                    self.send([number, 0, self.rows[arguments[3]], b"", b"", None])
                else:
                    self.send([number, 12, "this post knows no more"])
                self.asked.append(f"entries {arguments[1]}" if verb == ENTRIES else verb)

    def arrive(self, *rows):
        for each in rows:
            self.rows[each[3]] = each
            self.send([0, ARRIVED, each])

    @property
    def bells(self):
        return pathlib.Path(self.rung.name).read_text(encoding="utf-8").count("\a")

    @property
    def said(self):
        return pathlib.Path(self.out.name).read_text(encoding="utf-8")

    @property
    def hooked(self):
        return self.told.read_text(encoding="utf-8").splitlines() if self.told.exists() else []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(LIMIT_S)
        self.server.join(LIMIT_S)
        for each in (self.connection, self.out, self.rung):
            each.close()
        self.folder.cleanup()


def a_hook_is_told_a_harmless_reference():
    with Watch("--hook", 'printf "%s\\n" "$LIAISON_REFERENCE" >> "$TOLD"') as watch:
        watch.arrive(row(1, FLASH, name=NAME.upper()))
        wait_for(lambda: watch.hooked, "the hook was run")
        told = watch.hooked[0]
    assert all(character.isalnum() or character in " ./-_" for character in told), ascii(told)
    assert told.startswith("X") and told.endswith(" 0001/26"), ascii(told)


def a_hook_that_does_not_return_silences_no_flash():
    hook = 'echo "$LIAISON_REFERENCE" >> "$TOLD"; sleep 1000'
    with Watch("--bell", "--hook", hook, unread=[row(1, ROUTINE)]) as watch:
        wait_for(lambda: len(watch.hooked) == 1, "the hook of the unread message runs")
        assert watch.bells == 0
        watch.arrive(row(2, FLASH), row(3, FLASH))
        wait_for(lambda: watch.said.count(" FLASH ") == 2, "both are told", 3)
        wait_for(lambda: watch.bells >= 4, "it rings", 3)
        wait_for(lambda: len(watch.hooked) == 3, "their hooks run too", 3)


def hooks_are_few_at_a_time_and_flash_has_places_of_its_own():
    hook = 'echo "$LIAISON_PRECEDENCE" >> "$TOLD"; sleep 1000'
    with Watch("--hook", hook, unread=[row(number, ROUTINE) for number in range(1, 41)]) as watch:
        wait_for(lambda: len(watch.hooked) >= 8, "hooks run")
        watch.arrive(row(41, FLASH))
        wait_for(lambda: "FLASH" in watch.hooked, "the hook of a FLASH runs beside", 3)
        time.sleep(0.5)
        assert watch.hooked.count("ROUTINE") == 8, watch.hooked


def hooks_end_with_the_watch():
    with Watch("--hook", 'sleep 1000 & echo $! >> "$TOLD"; wait', unread=[row(1, ROUTINE)]) as watch:
        wait_for(lambda: watch.hooked, "the hook runs")
        child = int(watch.hooked[0])
        watch.process.terminate()
        assert watch.process.wait(LIMIT_S) == -15

        def is_gone():
            with contextlib.suppress(OSError):
                return pathlib.Path(f"/proc/{child}/stat").read_text(encoding="ascii").split()[2] == "Z"
            return True
        wait_for(is_gone, "what the hook started has ended")


def a_flash_rings_until_it_is_acknowledged():
    with Watch("--bell") as watch:
        watch.arrive(row(1, FLASH), row(2, ROUTINE))
        time.sleep(AGAIN_S - 2)
        assert watch.bells == 4 and watch.asked.count(ENTRY) == 0, watch.bells
        wait_for(lambda: watch.bells == 8, "it rings again", 5)
        assert watch.asked.count(ENTRY) == 1
        watch.rows[0][13] = READ
        wait_for(lambda: watch.asked.count(ENTRY) == 2, "the post is asked once more", AGAIN_S + 2)
        time.sleep(1)
        assert watch.bells == 8, watch.bells


def what_is_overdue_is_told_once_when_the_moment_comes():
    now = int(time.time())
    hook = 'echo "$LIAISON_EVENT $LIAISON_REFERENCE" >> "$TOLD"'
    with Watch("--bell", "--json", "--hook", hook) as watch:
        watch.awaited = [
            row(1, FLASH, own=True, state=1, receipt_due=now + 3), row(2, ROUTINE, acknowledgment_due=now + 3),
            row(3, FLASH, own=True, receipt_due=now + 1000, acknowledgment_due=now + 1000)]
        wait_for(lambda: watch.asked.count("entries 4") >= 1, "the post is asked")
        assert watch.said == '{"event":"watching"}\n' and watch.bells == 0
        wait_for(lambda: len(watch.hooked) == 2, "both are told", 12)
        wait_for(lambda: watch.bells == 4, "the FLASH rings", 3)
        before = watch.asked.count("entries 4")
        wait_for(lambda: watch.asked.count("entries 4") > before, "the post is asked again", 8)
        time.sleep(0.5)
        # Two hooks run beside each other: either may be the first to write.
        assert sorted(watch.hooked) == ["overdue EMBASSY 0001/26", "overdue EMBASSY 0002/26"], watch.hooked
        told = [json.loads(line) for line in watch.said.splitlines()[1:]]
        assert [(each["event"], each["overdue"]) for each in told] == [
            ("overdue", ["receipt"]), ("overdue", ["acknowledgment"])], told
        assert watch.bells == 4


def the_example_pages_for_a_flash_that_arrived_and_for_nothing_else():
    text = subprocess.run([LIAISON, "watch", "--help"], capture_output=True, encoding="utf-8", check=True).stdout
    hook = re.search(r"--hook[ \\\n]+'(.*?)'", text, re.DOTALL)[1].replace("page-the-duty-officer", "echo paged")
    manual = pathlib.Path(__file__).parents[2] / "doc" / "man" / "liaison.1"
    assert hook.replace("\\\n", "\\e\n").replace("echo paged", "page-the-duty-officer") in manual.read_text(encoding="utf-8")
    cases = [("arrived", "FLASH", True), ("arrived", "ROUTINE", False), ("state", "FLASH", False), ("alert", "", False),
             ("channel", "", False)]
    for event, precedence, pages in cases:
        result = subprocess.run(
            ["sh", "-c", hook], capture_output=True, encoding="utf-8", check=False,
            env={"LIAISON_EVENT": event, "LIAISON_PRECEDENCE": precedence, "PATH": os.environ["PATH"]})
        assert result.stderr == "" and result.returncode == 0, result
        assert (result.stdout == "paged\n") is pages, (event, precedence, result)


if __name__ == "__main__":
    run_tests(
        a_hook_is_told_a_harmless_reference,
        a_hook_that_does_not_return_silences_no_flash,
        hooks_are_few_at_a_time_and_flash_has_places_of_its_own,
        hooks_end_with_the_watch,
        a_flash_rings_until_it_is_acknowledged,
        what_is_overdue_is_told_once_when_the_moment_comes,
        the_example_pages_for_a_flash_that_arrived_and_for_nothing_else,
    )
