"""How liaison-courierd starts: usage: courier_start.py LIAISON-COURIERD [TEST...]"""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

from courier_world import run_tests, until


def standard_descriptors_that_are_closed_are_no_trouble(world):
    """Nothing of ours gets their numbers; and no end of the connector's channel stays open in the connector."""
    a, b = world.pair()
    with subprocess.Popen([world.program, "--dir", a.directory], preexec_fn=lambda: [os.close(fd) for fd in (0, 1, 2)]) as process:
        try:
            a.post.wait_up(10)
            connector, = [int(p) for p in open(f"/proc/{process.pid}/task/{process.pid}/children").read().split()]
            for pid in process.pid, connector:
                assert [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1, 2)] == ["/dev/null"] * 3
            assert len(os.listdir(f"/proc/{connector}/fd")) == 4
            assert (a.directory / "courier.lock").read_bytes() == b""
        finally:
            process.terminate()
        assert process.wait(60) == 0
    assert not os.path.exists(f"/proc/{connector}")


def a_post_that_cannot_be_reached_is_said_once(world):
    a, b = world.pair()
    nowhere = world.place / "nowhere.sock"
    (a.directory / "courier.conf").write_text(f"node {a.node}\npost {nowhere}\n")
    said = f"the post cannot be reached at {nowhere}: No such file or directory"
    a.start()
    until(lambda: said in a.log(), 10, "the courier says that it has no post")
    time.sleep(0.5)  # some more tries
    assert a.log().count("cannot be reached") == 1
    os.rename(a.post.path, nowhere)
    a.post.wait_up(10)
    os.unlink(nowhere)
    assert a.stop() == 0


def it_ends_though_its_parent_had_the_signals_blocked(world):
    a, b = world.pair()
    (a.directory / "courier.conf").write_text(f"node {a.node}\n")
    blocked = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    for number in signal.SIGTERM, signal.SIGINT:
        signal.pthread_sigmask(signal.SIG_BLOCK, blocked)
        try:
            a.log_path.unlink(missing_ok=True)
            a.start()
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, blocked)
        until(lambda: "runs as" in a.log(), 10, "the courier runs")
        a.process.send_signal(number)
        assert a.process.wait(60) == 0
        assert "ends its sessions and stops" in a.log()


def a_post_that_hangs_keeps_no_connector(world):
    """Nobody takes connections from its socket, and no more may wait there."""
    a, b = world.pair()
    path = str(world.place / "hangs.sock")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as waiting:
        listener.bind(path)
        listener.listen(0)
        waiting.connect(path)
        (a.directory / "courier.conf").write_text(f"node {a.node}\npost {path}\n")
        a.start()
        until(lambda: f"the post cannot be reached at {path}" in a.log(), 10, "the courier says that it has no post")
        connector, = open(f"/proc/{a.process.pid}/task/{a.process.pid}/children").read().split()
        status = pathlib.Path(f"/proc/{connector}/status")
        assert a.stop() == 0
        until(lambda: not status.exists() or "State:\tZ" in status.read_text(), 5, "the connector ends")


def a_key_that_others_may_read_is_refused(world):
    a, b = world.pair()
    for mode in (0o644, 0o620, 0o604):
        (a.directory / "tls.key").chmod(mode)
        for more in [], ["--show-pin"]:
            result = subprocess.run([world.program, "--dir", a.directory, *more], capture_output=True, text=True, timeout=60)
            assert result.returncode == 1 and result.stdout == "" and "tls.key" in result.stderr, result
            assert "chmod 600" in result.stderr and len(result.stderr.splitlines()) == 1, result
    (a.directory / "tls.key").chmod(0o600)
    a.up()


TESTS = (
    standard_descriptors_that_are_closed_are_no_trouble,
    a_post_that_cannot_be_reached_is_said_once,
    a_post_that_hangs_keeps_no_connector,
    it_ends_though_its_parent_had_the_signals_blocked,
    a_key_that_others_may_read_is_refused,
)

if __name__ == "__main__":
    sys.exit(run_tests(TESTS, sys.argv[1], sys.argv[2:]))
