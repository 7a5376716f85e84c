"""The sandbox from inside and outside: usage: post_sandbox.py LIAISOND [LIAISON]"""

import ctypes
import errno
import os
import socket
import subprocess

from post_shell import Client, Daemon, HELLO, PROGRAM, Skip, run_tests

ALLOW = 0x7FFF0000


def forbid(name, argument=None):
    """For a child before exec: from here on this system call fails as on a kernel that has none."""
    seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    seccomp.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p]
    seccomp.seccomp_load.argtypes = [ctypes.c_void_p]

    class Comparison(ctypes.Structure):
        _fields_ = [
            ("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]

    equal = 4
    context = seccomp.seccomp_init(ALLOW)
    error = 0x00050000 | (errno.EINVAL if argument is not None else errno.ENOSYS)
    call = seccomp.seccomp_syscall_resolve_name(name.encode())
    if argument is None:
        result = seccomp.seccomp_rule_add_array(context, error, call, 0, None)
    else:
        place, value = argument
        comparison = Comparison(place, equal, value, 0)
        result = seccomp.seccomp_rule_add_array(context, error, call, 1, ctypes.byref(comparison))
    if result != 0 or seccomp.seccomp_load(context) != 0:
        os._exit(99)


def without_landlock():
    forbid("landlock_create_ruleset")


def without_seccomp():
    forbid("prctl", (0, 22))  # PR_SET_SECCOMP
    forbid("seccomp", (0, 1))  # SECCOMP_SET_MODE_FILTER; last, for it is how this one is set


def needs_hooks():
    if "--test-forbidden" not in subprocess.run([PROGRAM, "--help"], capture_output=True).stdout.decode():
        raise Skip("this build has no test hooks")


def every_forbidden_act_fails():
    needs_hooks()
    expected = {
        "internet-socket", "unix-socket", "connect", "recvmsg", "recvmmsg", "exec", "fork", "read-file",
        "write-file", "list-directory", "symlink", "ptrace", "kill", "map-code",
    }
    with Daemon() as daemon:
        status, said, log = daemon.run("--test-forbidden", "all")
        assert status == 0, (said, log)
        outcomes = dict(line.split() for line in said.splitlines())
        assert set(outcomes) == expected, outcomes
        for act, outcome in outcomes.items():
            assert outcome in ("EPERM", "EACCES"), (act, outcome)
        assert not os.path.exists(os.path.join(daemon.folder, "../liaisond-escaped"))
        assert not os.path.exists(daemon.path("link"))


def the_same_acts_succeed_without_the_sandbox():
    """Else the test above would show nothing. (Those that would harm somebody are left out.)"""
    needs_hooks()
    with Daemon() as daemon:
        for act in ("internet-socket", "unix-socket", "fork", "read-file", "list-directory", "map-code"):
            status, said, _ = daemon.run("--unsafe-no-sandbox", "--test-forbidden", act)
            assert status == 0 and said == act + " SUCCEEDED\n", said


def the_kernel_says_that_the_process_is_confined():
    with Daemon().start() as daemon:
        with open(f"/proc/{daemon.process.pid}/status", encoding="ascii") as file:
            status = dict(line.split(":\t", 1) for line in file)
        assert status["Seccomp"].strip() == "2", status["Seccomp"]
        assert status["NoNewPrivs"].strip() == "1"
        assert status["Threads"].strip() == "1"
        with open(f"/proc/{daemon.process.pid}/limits", encoding="ascii") as file:
            core = next(line for line in file if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"], core


def without_landlock_it_refuses_to_start_and_says_why():
    with Daemon() as daemon:
        status, _, said = daemon.run(preexec_fn=without_landlock)
        assert status == 1, said
        assert "Landlock" in said and "is missing" in said and "--unsafe-no-sandbox" in said, said
        assert os.path.exists(daemon.path("post.init"))


def without_seccomp_it_refuses_to_start_and_says_why():
    with Daemon() as daemon:
        status, _, said = daemon.run(preexec_fn=without_seccomp)
        assert status == 1, said
        assert "seccomp" in said and "is missing" in said and "--unsafe-no-sandbox" in said, said
        assert os.path.exists(daemon.path("post.init"))


def told_so_it_runs_without_and_warns():
    with Daemon() as daemon:
        daemon.start("--unsafe-no-sandbox", preexec_fn=without_landlock)
        assert "running WITHOUT a sandbox" in daemon.log()
        with Client(daemon) as client:
            assert client.ask(HELLO)[1] == 0


def a_descriptor_that_is_sent_is_not_received():
    with Daemon().start() as daemon, Client(daemon) as client:
        client.ask(HELLO)
        before = daemon.descriptors_at_rest()
        with open("/etc/hostname", "rb") as file:
            for _ in range(20):
                socket.send_fds(client.socket, [b"\0\0\0\3\x82\1\1"], [file.fileno()])
                client.number = 1
                assert client.reply()[1] == 0
        assert daemon.descriptors_at_rest() == before


if __name__ == "__main__":
    run_tests(
        every_forbidden_act_fails,
        the_same_acts_succeed_without_the_sandbox,
        the_kernel_says_that_the_process_is_confined,
        without_landlock_it_refuses_to_start_and_says_why,
        without_seccomp_it_refuses_to_start_and_says_why,
        told_so_it_runs_without_and_warns,
        a_descriptor_that_is_sent_is_not_received,
    )
