"""The disk of a post, then that of a courier fills up on a line that runs: usage: test_disk.py BUILD

Runs itself again in a mount namespace of its own, where the alliance's post and the federation's courier get small file
systems.
"""

import json
import shutil
import subprocess
import sys

from line import Line, wait_for
from post_disk import MIB, SmallDisk, use_own_mounts
from post_shell import run_tests

line = None
disk = None
courier_disk = None
facts = {}


def move(side, of, folder):
    """Moves the directory of one daemon of a side onto the small disk."""
    side.end()
    kept = folder + "/kept"
    shutil.copytree(of, kept)
    subprocess.run(["mount", "--bind", kept, of], check=True)
    side.start()


class Watch:
    """`liaison watch` of a side, as long as it is asked for what it tells."""

    def __init__(self, side):
        self.path = line.folder / f"watch-{side.name}"
        with open(self.path, "wb") as out:
            self.process = subprocess.Popen(
                [str(line.programs["liaison"]), "watch", "--json", "--bell"], stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, env=side.command_environment())

    def told(self, name):
        """Its events of that name. The bell rings into the same file, before the line of what it rings for or between two."""
        lines = self.path.read_text(encoding="utf-8").replace("\a", "").splitlines(keepends=True)
        return [event for event in (json.loads(each) for each in lines if each.endswith("\n")) if event["event"] == name]

    @property
    def bells(self):
        return self.path.read_text(encoding="utf-8").count("\a")

    def end(self):
        self.process.terminate()
        self.process.wait(20)


def fill_the_disk():
    words = "only receipts and letters are taken"
    before = line.alliance.post.log().count(words)
    disk.leave(10 * MIB)
    wait_for(lambda: line.alliance.post.log().count(words) > before, "the post says that its disk is full")


def what_is_taken_before_is_receipted_after():
    """Taken and carried while there was room; its receipt comes when there is none for anything else."""
    line.federation.post.end()
    facts["before"] = line.alliance.send("Before it was full.", "-p", "flash")
    line.wait_for_state(line.alliance, facts["before"], "carried")
    facts["watch"] = watch = Watch(line.alliance)
    wait_for(lambda: watch.told("watching"), "the watch has begun")
    fill_the_disk()
    line.federation.start()
    line.wait_until_held(line.federation, facts["before"], 60)
    line.wait_for_state(line.alliance, facts["before"], "received", 60)


def new_work_is_refused_before_it_is_accepted():
    before = line.alliance.json("log")["entries"]
    result = line.alliance.run("send", "-p", "flash", "-m", "No room for this.", "--yes")
    assert result.returncode != 0 and result.stdout == "", result
    assert "room" in result.stderr.splitlines()[-1], result.stderr  # behind what was to be signed
    assert line.alliance.json("log")["entries"] == before


def what_comes_waits_at_the_courier():
    for precedence in ("routine", "flash"):
        facts[precedence] = line.federation.send("For you.", "-p", precedence)
        line.wait_for_state(line.federation, facts[precedence], "carried")
    for precedence in ("routine", "flash"):
        assert not line.alliance.holds(facts[precedence])
        assert line.federation.show(facts[precedence])["state"] == "carried"


def whoever_watches_is_told_that_a_flash_waits_for_room():
    watch = facts["watch"]
    wait_for(lambda: [event["state"] for event in watch.told("disk")] == ["last"], "the watch tells of the full disk")
    wait_for(lambda: "FLASH" in [event["precedence"] for event in watch.told("left")], "the watch tells of the FLASH")
    wait_for(lambda: watch.bells >= 4, "it rang as a FLASH")
    status = wait_for(lambda: (told := line.alliance.json("status"))["left_with_courier"][3] and told, "a FLASH is left")
    assert status["disk"] == "last", status
    text = line.alliance.text("status")
    assert "DISK: the post's disk is full" in text and "  1 FLASH left with the courier" in text, text


def the_first_room_there_is_brings_the_flash():
    disk.leave(28 * MIB)  # of which 8 are owed to the reserve
    line.wait_until_held(line.alliance, facts["flash"])
    line.wait_for_state(line.federation, facts["flash"], "received")
    assert "only urgent messages and letters are taken" in line.alliance.post.log()
    assert not line.alliance.holds(facts["routine"])


def when_there_is_room_again_all_goes_on():
    watch = facts["watch"]
    wait_for(lambda: [event["state"] for event in watch.told("disk")] == ["last", "scarce"], "the watch tells of some room")
    disk.leave(50 * MIB)
    wait_for(lambda: "there is room on the disk again" in line.alliance.post.log(), "the post says that there is room")
    line.wait_until_held(line.alliance, facts["routine"], 90)
    line.wait_for_state(line.federation, facts["routine"], "received", 60)
    message = line.alliance.send("There is room.", "-p", "flash")
    line.wait_for_state(line.alliance, message, "received", 60)
    line.wait_until_heads_agree(90)
    wait_for(lambda: [event["state"] for event in watch.told("disk")] == ["last", "scarce", "ample"], "the watch tells of room")
    status = line.alliance.json("status")
    assert (status["disk"], status["left_with_courier"]) == ("ample", [0, 0, 0, 0]), status


def bulk_that_waits_does_not_stop_receipts():
    """More than a window of bulk is given to the full post, and only then the receipt of what it sent before."""
    left = "which stays with the courier"
    line.alliance.courier.end()
    ours = line.alliance.send("Sent before it was full.", "-p", "routine")
    bulk = line.federation.send("Bulk. " * 4000, "-p", "routine")
    line.wait_for_state(line.federation, bulk, "queued")
    line.federation.post.end()
    fill_the_disk()
    before = line.alliance.post.log().count(left)
    line.alliance.courier.start()
    line.wait_for_state(line.alliance, ours, "carried")
    wait_for(lambda: line.alliance.post.log().count(left) > before, "the post leaves the bulk")
    line.federation.start()
    line.wait_for_state(line.alliance, ours, "received")
    assert not line.alliance.holds(bulk)
    disk.leave(50 * MIB)
    line.wait_until_held(line.alliance, bulk, 60)


def a_flash_that_the_courier_has_no_room_for_is_told_by_its_reference():
    watch = facts["courier watch"] = Watch(line.federation)
    wait_for(lambda: watch.told("watching"), "the watch has begun")
    assert not line.federation.json("status")["courier_full"]
    courier_disk.leave(6 * MIB)  # below what receipts and urgent messages may use
    wait_for(lambda: len(watch.told("courier-full")) == 1, "the watch tells of the courier's full disk")
    assert "free some room on it" in watch.told("courier-full")[0]["detail"]
    assert line.federation.json("status")["courier_full"]
    assert "  DISK: the courier's disk is nearly full" in line.federation.text("status")
    facts["refused"] = line.federation.send("This cannot leave.", "-p", "flash")
    alert = wait_for(lambda: watch.told("alert"), "the watch tells of the FLASH")[0]
    assert alert["reference"] == facts["refused"], alert
    assert "the courier has no room for it" in alert["detail"] and "free some" in alert["detail"], alert
    wait_for(lambda: watch.bells >= 8, "both rang")
    assert line.federation.show(facts["refused"])["state"] == "released"


def when_the_courier_has_room_again_that_is_told_too():
    watch = facts["courier watch"]
    courier_disk.leave(50 * MIB)
    wait_for(lambda: len(watch.told("courier-room")) == 1, "the watch tells of room")
    assert not line.federation.json("status")["courier_full"]
    message = line.federation.send("This can.", "-p", "flash")
    line.wait_for_state(line.federation, message, "received")
    line.wait_for_state(line.federation, facts["refused"], "received")
    assert len(watch.told("alert")) == 1, watch.told("alert")


if __name__ == "__main__":
    use_own_mounts()
    with Line(sys.argv[1]) as line, SmallDisk() as disk, SmallDisk() as courier_disk:
        move(line.alliance, line.alliance.post_folder, disk.folder)
        move(line.federation, line.federation.courier_folder, courier_disk.folder)
        try:
            run_tests(
                what_is_taken_before_is_receipted_after,
                new_work_is_refused_before_it_is_accepted,
                what_comes_waits_at_the_courier,
                whoever_watches_is_told_that_a_flash_waits_for_room,
                the_first_room_there_is_brings_the_flash,
                when_there_is_room_again_all_goes_on,
                bulk_that_waits_does_not_stop_receipts,
                a_flash_that_the_courier_has_no_room_for_is_told_by_its_reference,
                when_the_courier_has_room_again_that_is_told_too,
            )
        finally:
            for name in ("watch", "courier watch"):
                if name in facts:
                    facts[name].end()
            line.alliance.end()
            line.federation.end()
            subprocess.run(["umount", line.alliance.post_folder, line.federation.courier_folder], check=True)
