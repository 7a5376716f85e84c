"""Which libraries the daemons load, and that none starts unconfined: usage: test_isolation.py BUILD

What each sandbox forbids from inside is tried by post_sandbox.py and courier_pair.py.
"""

import os
import re
import subprocess
import sys

from line import SANITIZER, Line, wait_for
from post_sandbox import without_landlock, without_seccomp
from post_shell import Skip, run_tests

line = None


def libraries(program):
    """Of the program and of all that it loads."""
    listing = subprocess.run(["ldd", program], check=True, capture_output=True, encoding="utf-8").stdout
    return re.findall(r"^\s*(lib\S+?)\.so", listing, re.MULTILINE)


def the_courier_loads_nothing_that_opens_or_signs():
    loaded = libraries(line.programs["liaison-courierd"])
    assert "libssl" in loaded and "libuv" in loaded, loaded
    assert not [name for name in loaded if "sodium" in name], loaded


def the_post_loads_nothing_of_the_network():
    loaded = libraries(line.programs["liaisond"])
    assert "libsodium" in loaded and "libsqlite3" in loaded, loaded
    assert not [name for name in loaded if re.search("ssl|crypto|tls|curl|libuv", name)], loaded


def processes():
    """Every process of the four daemons, the couriers' connectors too."""
    for side in line.sides:
        for daemon in side.daemons:
            yield daemon.process.pid
            with open(f"/proc/{daemon.process.pid}/task/{daemon.process.pid}/children", encoding="ascii") as file:
                yield from map(int, file.read().split())


def every_process_of_a_running_line_is_confined():
    pids = list(processes())
    assert len(pids) == 6, pids
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            status = dict(row.split(":\t", 1) for row in file)
        assert status["Seccomp"].strip() == "2" and status["NoNewPrivs"].strip() == "1", (pid, status["Name"])


def open_files(pid):
    return [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]


def no_courier_holds_a_file_of_the_post_nor_a_post_one_of_the_courier():
    for side in line.sides:
        assert not [name for name in open_files(side.courier.process.pid) if name.startswith(str(side.post_folder))]
        assert not [name for name in open_files(side.post.process.pid) if name.startswith(str(side.courier_folder))]


def starts_without(daemon, forbid, *options):
    return subprocess.run(
        [*daemon.command, *options], capture_output=True, encoding="utf-8", timeout=30, preexec_fn=forbid,
        env={**os.environ, **SANITIZER})


def without_landlock_or_seccomp_no_daemon_starts():
    line.end()
    for daemon in line.alliance.daemons:
        for forbid, missing in ((without_landlock, "Landlock"), (without_seccomp, "seccomp")):
            result = starts_without(daemon, forbid)
            assert result.returncode == 1, (daemon.command, missing, result)
            assert missing.lower() in result.stderr.lower() and "--unsafe-no-sandbox" in result.stderr, result.stderr


def no_courier_can_open_the_record_of_its_post():
    """The real one, whose directory holds the record, its keys and the anchor; and without a sandbox it could."""
    for side in line.sides:
        for act in ("open-post", "open-record", "open-anchor"):
            for options, expected in (((), {"EPERM", "EACCES"}), (("--unsafe-no-sandbox",), {"done"})):
                result = starts_without(side.courier, None, *options, "--test-forbidden", act)
                if result.returncode == 2:
                    raise Skip("this build has no test hooks")
                assert result.stdout.split()[0] == act and result.stdout.split()[1] in expected, (act, options, result)


def told_so_they_run_unconfined_and_say_it():
    side = line.alliance
    side.start_post("--unsafe-no-sandbox")
    side.courier.start("--unsafe-no-sandbox")
    line.federation.start()
    message = side.send("From the open.", "-p", "flash")
    line.wait_until_held(line.federation, message)
    for daemon in side.daemons:
        wait_for(lambda daemon=daemon: "without a sandbox" in daemon.log().lower(), "the log says so")


if __name__ == "__main__":
    with Line(sys.argv[1]) as line:
        run_tests(
            the_courier_loads_nothing_that_opens_or_signs,
            the_post_loads_nothing_of_the_network,
            every_process_of_a_running_line_is_confined,
            no_courier_holds_a_file_of_the_post_nor_a_post_one_of_the_courier,
            without_landlock_or_seccomp_no_daemon_starts,
            no_courier_can_open_the_record_of_its_post,
            told_so_they_run_unconfined_and_say_it,
        )
