"""What `liaison watch` says, rings and runs, against a post that this program plays: usage: watch.py LIAISON"""

import contextlib
import os
import pathlib
import re
import select
import socket
import struct
import subprocess
import sys
import tempfile
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


def wait_for(condition, what, seconds=LIMIT_S):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it took more than {seconds} seconds until {what}"
        time.sleep(0.02)


def row(number, precedence, state=RECEIVED, name="EMBASSY"):
    return [b"\x01" * 32, 64, 1, number - 1, f"{name} {number:04}/26", bytes([number]) * 32, 1, precedence, 1795320300, "", 1,
            "Officer", False, state, 1795320300000, []]


class Watch:
    """A watch, and the post that it asks. `unread`: rows that the post holds when it begins."""

    def __init__(self, *options, unread=()):
        self.folder = tempfile.TemporaryDirectory(prefix="liaison-watch-")
        self.told = pathlib.Path(self.folder.name, "told")
        self.states = {}  # by position: what ENTRY answers
        self.rows = {}
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
        self.connection.settimeout(LIMIT_S)
        self.answer(SUBSCRIBE)
        for each in unread:
            self.rows[each[3]] = each
        self.answer(ENTRIES, list(unread), b"")

    def send(self, item):
        content = cbor2.dumps(item)
        self.connection.sendall(struct.pack(">I", len(content)) + content)

    def read(self):
        size = struct.unpack(">I", self.connection.recv(4, socket.MSG_WAITALL))[0]
        return cbor2.loads(self.connection.recv(size, socket.MSG_WAITALL))

    def answer(self, verb, *results):
        request = self.read()
        assert request[1] == verb, request
        self.send([request[0], 0, *results])

    def arrive(self, *rows):
        for each in rows:
            self.rows[each[3]] = each
            self.send([0, ARRIVED, each])

    def serve(self, seconds):
        """Answers ENTRY for so long; how often it was asked."""
        end, asked = time.monotonic() + seconds, 0
        while select.select([self.connection], [], [], max(0, end - time.monotonic()))[0]:
            request = self.read()
            assert request[1] == ENTRY, request
            self.send([request[0], 0, self.rows[request[5]], b"", b"", None])
            asked += 1
        return asked

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
        assert watch.serve(AGAIN_S - 2) == 0
        assert watch.bells == 4, watch.bells
        assert watch.serve(4) == 1
        wait_for(lambda: watch.bells == 8, "it rings again", 3)
        watch.rows[0][13] = READ
        assert watch.serve(AGAIN_S) == 1  # asked once more, and then it is known
        time.sleep(1)
        assert watch.bells == 8, watch.bells


def the_example_pages_for_a_flash_that_arrived_and_for_nothing_else():
    text = subprocess.run([LIAISON, "watch", "--help"], capture_output=True, encoding="utf-8", check=True).stdout
    hook = re.search(r"--hook '(.*?)'", text, re.DOTALL)[1].replace("page-the-duty-officer", "echo paged")
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
        the_example_pages_for_a_flash_that_arrived_and_for_nothing_else,
    )
