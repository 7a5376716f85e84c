"""./run from a clean clone: twice to its end, and once on a terminal until Ctrl-C: usage: test_run.py SOURCE"""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from post_shell import run_tests

AGREED = re.compile(r"^records agree: [0-9a-f]{64} [0-9a-f]{64}$")
folder = tempfile.mkdtemp(prefix="liaison-run-")
clone = os.path.join(folder, "clone")
environment = {**os.environ, "TMPDIR": folder}


def from_a_clean_clone_it_ends_well_twice():
    subprocess.run(["git", "clone", "-q", sys.argv[1], clone], check=True, timeout=60)
    for _ in range(2):
        result = subprocess.run(
            ["./run", "--once"], cwd=clone, env=environment, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8",
            timeout=600)
        assert result.returncode == 0, (result.returncode, result.stdout[-2000:], result.stderr[-2000:])
        assert AGREED.match(result.stdout.rstrip("\n").splitlines()[-1]), result.stdout[-500:]
        for state in ("released", "queued", "carried", "received", "read", "answered"):
            assert state in result.stdout, state
        nothing_is_left()


def nothing_is_left():
    """No process, no lock, no directory of the line that was made."""
    left = subprocess.run(["pgrep", "-a", "-f", folder + "/liaison."], capture_output=True, encoding="utf-8").stdout
    assert left == "", left
    assert os.listdir(folder) == ["clone"], os.listdir(folder)


def on_a_terminal_it_stays_until_ctrl_c_and_leaves_nothing():
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(clone)
        os.execve("./run", ["./run"], environment)
    said, end = b"", time.monotonic() + 180
    try:
        while b"until Ctrl-C" not in said:
            assert time.monotonic() < end, said[-2000:]
            if select.select([terminal], [], [], 1)[0]:
                said += os.read(terminal, 65536)
        time.sleep(2)
        assert os.waitpid(child, os.WNOHANG) == (0, 0), "it did not stay"
        assert b"records agree: " in said
        os.write(terminal, b"\x03")
        end = time.monotonic() + 30
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            assert time.monotonic() < end, "it did not end on Ctrl-C"
            if select.select([terminal], [], [], 0.1)[0]:
                try:
                    os.read(terminal, 65536)
                except OSError:
                    pass
        child = 0
    finally:
        if child:
            os.kill(child, signal.SIGTERM)
            os.waitpid(child, 0)
        os.close(terminal)
    nothing_is_left()


if __name__ == "__main__":
    try:
        run_tests(from_a_clean_clone_it_ends_well_twice, on_a_terminal_it_stays_until_ctrl_c_and_leaves_nothing)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
