"""Post and courier on two machines, joined as README says: usage: test_cable.py BUILD

Both are here; what stands for the cable is a TCP connection between two socats.
"""

import os
import signal
import subprocess
import sys

from line import Line, free_port, wait_for
from post_shell import run_tests

line = None


class Cable:
    """The two commands of the README, for one side."""

    def __init__(self, side):
        port = free_port()
        self.near = side.courier_folder / "post.sock"
        self.ends = [
            ["socat", f"TCP-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork", f"UNIX-CONNECT:{side.path('courier.sock')}"],
            ["socat", f"UNIX-LISTEN:{self.near},mode=600,unlink-early,fork", f"TCP:127.0.0.1:{port}"],
        ]
        self.processes = []

    def plug(self):
        self.processes = [subprocess.Popen(end, stderr=subprocess.DEVNULL, start_new_session=True) for end in self.ends]

    def pull(self):
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)
        self.processes = []


def talk(text):
    message = line.alliance.send(text, "-p", "flash")
    line.wait_until_held(line.federation, message, 60)
    line.wait_for_state(line.alliance, message, "received", 60)


def a_line_runs_over_cables():
    for side in line.sides:
        side.courier.end(signal.SIGTERM)
        configuration = side.courier_folder / "courier.conf"
        configuration.write_text(configuration.read_text().replace(str(side.path("courier.sock")), str(cables[side].near)))
        cables[side].plug()
    line.start()
    talk("Over the cable.")


def a_cable_that_is_pulled_and_plugged_loses_nothing():
    side = line.federation
    cables[side].pull()
    wait_for(lambda: not side.status()["courier_connected"], "the post sees that its courier is gone")
    message = line.alliance.send("While it is pulled.", "-p", "flash")
    line.wait_for_state(line.alliance, message, "carried")
    cables[side].plug()
    line.wait_until_held(side, message, 60)
    line.wait_for_state(line.alliance, message, "received", 60)


if __name__ == "__main__":
    with Line(sys.argv[1]) as line:
        cables = {side: Cable(side) for side in line.sides}
        try:
            run_tests(a_line_runs_over_cables, a_cable_that_is_pulled_and_plugged_loses_nothing)
        finally:
            for cable in cables.values():
                cable.pull()
