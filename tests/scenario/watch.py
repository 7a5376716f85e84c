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
LIMIT_S = 60
AGAIN_S = 10  # how often an unacknowledged FLASH rings
ROUTINE, FLASH = 1, 4
RECEIVED, READ = 4, 5
SUBSCRIBE, ENTRIES, ENTRY, STATUS = 15, 11, 12, 14
AMPLE, LOW, SCARCE, LAST = range(1, 5)
UP, DEGRADED, SILENT, DOWN = range(1, 5)
ARRIVED, CHANNEL_CHANGED, ALERT = 1, 3, 4
NEW_INCARNATION, FULL = 61, 48
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
    """A watch, and the post that it asks. `unread`: rows that the post holds when it begins; `routes`: as it knows them."""

    def __init__(self, *options, unread=(), routes=()):
        self.folder = tempfile.TemporaryDirectory(prefix="liaison-watch-")
        self.told = pathlib.Path(self.folder.name, "told")
        self.rows = {each[3]: each for each in unread}
        self.awaited = []
        self.has_courier, self.routes, self.refuses_status = True, list(routes), False
        self.disk, self.left, self.courier_full = AMPLE, [0, 0, 0, 0], False
        self.asked = []  # verb, or for ENTRIES the selection
        self.lock = threading.Lock()
        self.out = open(self.folder.name + "/out", "w+", encoding="utf-8")
        self.rung = open(self.folder.name + "/rung", "w+", encoding="utf-8")
        with self.listen() as listener:
            self.process = subprocess.Popen(
                [LIAISON, "watch", "--post", self.folder.name, *options], stdin=subprocess.DEVNULL, stdout=self.out,
                stderr=self.rung, env={**os.environ, "TOLD": str(self.told)})
            self.accept(listener, unread)

    def listen(self):
        listener = socket.socket(socket.AF_UNIX)
        pathlib.Path(self.folder.name, "post.sock").unlink(missing_ok=True)
        listener.bind(self.folder.name + "/post.sock")
        listener.listen(1)
        listener.settimeout(LIMIT_S)
        return listener

    def accept(self, listener, unread=()):
        self.asked.clear()
        self.connection = listener.accept()[0]
        self.server = threading.Thread(target=self.serve, args=(list(unread),))
        self.server.start()
        wait_for(lambda: "entries 2" in self.asked, "the watch has asked for what came")

    def hang_up(self):
        self.connection.shutdown(socket.SHUT_RDWR)
        self.server.join(LIMIT_S)
        self.connection.close()

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
                elif verb == STATUS and not self.refuses_status:
                    self.send([number, 0, [], self.has_courier, self.routes, [], [], 1, self.disk, list(self.left), self.courier_full])
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
    def events(self):
        return [json.loads(line) for line in self.said.splitlines(keepends=True) if line.endswith("\n")]

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


def a_hook_is_told_of_which_channel_an_event_is():
    hook = 'echo "$LIAISON_EVENT $LIAISON_CHANNEL $LIAISON_REFERENCE" >> "$TOLD"'
    rows = [[bytes([number]) * 32] + row(1, FLASH)[1:] for number in (0x1a, 0x2b)]  # logs of one name on two channels
    with Watch("--json", "--hook", hook) as watch:
        watch.arrive(*rows)
        watch.send([0, CHANNEL_CHANGED, b"\x3c" * 32])
        watch.send([0, ALERT, NEW_INCARNATION, "its post was restored", b"\x4d" * 32, "the line", "EMBASSY.2", ""])
        watch.send([0, ALERT, NEW_INCARNATION, "of no channel", None, "", "", ""])
        wait_for(lambda: len(watch.hooked) == 5, "the hooks are run")
        expected = [f"arrived {'1a' * 32} EMBASSY 0001/26", f"arrived {'2b' * 32} EMBASSY 0001/26", f"channel {'3c' * 32} ",
                    f"alert {'4d' * 32} EMBASSY.2", "alert  "]
        assert sorted(watch.hooked) == sorted(expected), watch.hooked
        told = [event.get("channel") for event in watch.events if event["event"] in ("arrived", "channel", "alert")]
        assert told == ["1a" * 32, "2b" * 32, "3c" * 32, "4d" * 32, None], told


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
        wait_for(lambda: watch.bells == 8, "it rings again", 30)
        assert watch.asked.count(ENTRY) == 1
        watch.rows[0][13] = READ
        wait_for(lambda: watch.asked.count(ENTRY) == 2, "the post is asked once more", AGAIN_S + 30)
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
        wait_for(lambda: len(watch.hooked) == 2, "both are told", 60)
        wait_for(lambda: watch.bells == 4, "the FLASH rings", 30)
        before = watch.asked.count("entries 4")
        wait_for(lambda: watch.asked.count("entries 4") > before, "the post is asked again", 60)
        time.sleep(0.5)
        # Two hooks run beside each other: either may be the first to write.
        assert sorted(watch.hooked) == ["overdue EMBASSY 0001/26", "overdue EMBASSY 0002/26"], watch.hooked
        told = [json.loads(line) for line in watch.said.splitlines()[1:]]
        assert [(each["event"], each["overdue"]) for each in told] == [
            ("overdue", ["receipt"]), ("overdue", ["acknowledgment"])], told
        assert watch.bells == 4


def a_line_that_is_cut_is_told_rings_and_runs_a_hook():
    hook = 'echo "$LIAISON_EVENT $LIAISON_REFERENCE $LIAISON_STATE" >> "$TOLD"'
    silent = [["direct", "ipn:2002.0", SILENT, 1795320300000, 0], ["relay", "ipn:3.0", UP, 1795320300000, 0]]
    with Watch("--json", "--bell", "--hook", hook, routes=silent) as watch:
        def told(name):
            return [event for event in watch.events if event["event"] == name]
        wait_for(lambda: told("route"), "a route that is silent as the watch begins is told")
        wait_for(lambda: watch.bells == 4, "it rings as a FLASH", 3)
        assert [(event["route"], event["neighbour"], event["state"]) for event in told("route")] == [
            ("direct", "ipn:2002.0", "silent")]
        watch.has_courier, watch.routes = False, []
        wait_for(lambda: told("courier-gone"), "a lost courier is told")
        wait_for(lambda: watch.bells == 8, "it rings", 3)
        watch.hang_up()
        wait_for(lambda: told("post-gone"), "a post that does not answer is told", 3)
        wait_for(lambda: watch.bells == 12, "it rings", 3)
        time.sleep(1.2)  # an attempt in vain, of which nothing is told
        watch.has_courier, watch.routes = True, [["direct", "ipn:2002.0", UP, 1795320300000, 0]]
        with watch.listen() as listener:
            watch.accept(listener)
        wait_for(lambda: told("post-back") and told("courier-back") and len(told("route")) == 2, "all is back", 3)
        assert told("route")[1]["state"] == "up"
        assert {name: len(told(name)) for name in ("post-gone", "post-back", "courier-gone", "courier-back")} == {
            "post-gone": 1, "post-back": 1, "courier-gone": 1, "courier-back": 1}
        assert watch.bells == 12, "what is back does not ring"
        wait_for(lambda: len(watch.hooked) == 6, "each has run its hook")
        assert {"route direct silent", "route direct up"} <= set(watch.hooked), watch.hooked
        assert sorted(line.split(" ")[0] for line in watch.hooked if not line.startswith("route ")) == [
            "courier-back", "courier-gone", "post-back", "post-gone"], watch.hooked
        watch.refuses_status = True
        wait_for(lambda: told("error"), "an error is an event too")


def a_disk_that_fills_up_is_told_at_each_step_and_so_is_what_waits_for_it():
    hook = 'echo "$LIAISON_EVENT $LIAISON_PRECEDENCE $LIAISON_STATE" >> "$TOLD"'
    with Watch("--json", "--bell", "--hook", hook) as watch:
        def told(name):
            return [event for event in watch.events if event["event"] == name]
        wait_for(lambda: STATUS in watch.asked, "the post is asked")
        assert not told("disk") and watch.bells == 0, watch.said
        for level, name, bells in ((LOW, "low", 4), (LAST, "last", 8), (SCARCE, "scarce", 8), (LAST, "last", 12)):
            watch.disk = level
            wait_for(lambda: told("disk") and told("disk")[-1]["state"] == name, f"it is told that the disk is {name}", 7)
            assert "free some room" in told("disk")[-1]["detail"], watch.said
            wait_for(lambda: watch.bells == bells, f"{bells} strokes: what gets worse rings", 4)
        watch.left = [3, 0, 0, 0]
        wait_for(lambda: told("left"), "what waits is told", 7)
        watch.left = [3, 0, 0, 1]
        wait_for(lambda: len(told("left")) == 2, "a FLASH that waits is told", 7)
        wait_for(lambda: watch.bells == 16, "and rings", 4)
        assert [event["precedence"] for event in told("left")] == ["ROUTINE", "FLASH"], watch.said
        assert told("left")[1]["detail"].startswith("1 FLASH waits with the courier"), watch.said
        before = watch.asked.count(STATUS)
        wait_for(lambda: watch.asked.count(STATUS) > before, "the post is asked again", 7)
        watch.disk, watch.left = AMPLE, [0, 0, 0, 0]
        wait_for(lambda: told("disk")[-1]["state"] == "ample", "room again is told", 7)
        time.sleep(0.5)
        assert len(told("left")) == 2 and len(told("disk")) == 5 and watch.bells == 16, watch.said
        wait_for(lambda: len(watch.hooked) == 7, "each has run its hook")
        assert watch.hooked[:4] == ["disk  low", "disk  last", "disk  scarce", "disk  last"], watch.hooked
        assert watch.hooked[5].startswith("left FLASH 1 FLASH waits with the courier"), watch.hooked


def an_alert_names_the_log_and_the_channel():
    with Watch("--json", "--hook", 'echo "$LIAISON_EVENT $LIAISON_REFERENCE $LIAISON_STATE" >> "$TOLD"') as watch:
        watch.send([0, ALERT, NEW_INCARNATION, "its post was restored", b"\x01" * 32, "the line", "EMBASSY.2", ""])
        watch.send([0, ALERT, NEW_INCARNATION, "of no one log", None, "", "", ""])
        wait_for(lambda: len(watch.hooked) == 2, "both hooks are run")
        first, second = watch.events[-2:]
        assert (first["event"], first["log"], first["title"], first["channel"]) == (
            "alert", "EMBASSY.2", "the line", "01" * 32), first
        assert first["detail"].startswith("EMBASSY.2 on the line: a log goes on in a new incarnation"), first
        assert "log" not in second and "done" not in second["detail"], second
        assert any(line.startswith("alert EMBASSY.2 a log goes on") for line in watch.hooked), watch.hooked


def an_alert_names_the_message_that_does_not_leave():
    with Watch("--json", "--bell", "--hook", 'echo "$LIAISON_EVENT $LIAISON_REFERENCE $LIAISON_STATE" >> "$TOLD"') as watch:
        watch.send([0, ALERT, FULL, "it has not left", b"\x01" * 32, "the line", "", "EMBASSY 0042/26"])
        wait_for(lambda: watch.hooked == ["alert EMBASSY 0042/26 it has not left"], "the hook is told")
        told = watch.events[-1]
        assert (told["event"], told["reference"], told["title"], told["detail"]) == (
            "alert", "EMBASSY 0042/26", "the line", "EMBASSY 0042/26 on the line: it has not left"), told
        assert "log" not in told, told
        wait_for(lambda: watch.bells == 4, "it rings as a FLASH", 4)


def a_courier_whose_disk_is_full_is_told_and_so_is_the_end_of_it():
    route = ["direct", "ipn:2002.0", UP, 1795320300000, 0]
    with Watch("--json", "--bell", "--hook", 'echo "$LIAISON_EVENT" >> "$TOLD"', routes=[route]) as watch:
        def told(name):
            return [event for event in watch.events if event["event"] == name]
        watch.courier_full = True
        wait_for(lambda: told("courier-full"), "it is told", 7)
        assert "free some room on it" in told("courier-full")[0]["detail"], watch.said
        wait_for(lambda: watch.bells == 4, "it rings as a FLASH", 4)
        watch.courier_full = False
        wait_for(lambda: told("courier-room"), "room again is told", 7)
        wait_for(lambda: watch.hooked == ["courier-full", "courier-room"], "both have run a hook")
        assert watch.bells == 4, watch.bells


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
        a_hook_is_told_of_which_channel_an_event_is,
        a_hook_that_does_not_return_silences_no_flash,
        hooks_are_few_at_a_time_and_flash_has_places_of_its_own,
        hooks_end_with_the_watch,
        a_flash_rings_until_it_is_acknowledged,
        what_is_overdue_is_told_once_when_the_moment_comes,
        a_line_that_is_cut_is_told_rings_and_runs_a_hook,
        a_disk_that_fills_up_is_told_at_each_step_and_so_is_what_waits_for_it,
        an_alert_names_the_log_and_the_channel,
        an_alert_names_the_message_that_does_not_leave,
        a_courier_whose_disk_is_full_is_told_and_so_is_the_end_of_it,
        the_example_pages_for_a_flash_that_arrived_and_for_nothing_else,
    )
