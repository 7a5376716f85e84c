"""The sandbox from inside and outside: usage: post_sandbox.py LIAISOND [LIAISON]"""

import ctypes
import errno
import os
import socket
import subprocess
import tempfile

from post_shell import Client, Daemon, HELLO, PROGRAM, Skip, run_tests
from terminal import let_children_trace

ALLOW = 0x7FFF0000
ACTS = {
    "internet-socket", "unix-socket", "connect", "recvmsg", "recvmmsg", "exec", "fork", "read-file",
    "write-file", "list-directory", "symlink", "ptrace", "kill", "map-code",
}


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


def outcome_of(daemon, act, *options):
    """What comes of the act where all is there that it needs but leave: a descriptor waits on standard input, or a socket
    that can be connected; and we may be traced."""
    let_children_trace()
    sender, receiver = socket.socketpair()
    with sender, receiver, socket.socket(socket.AF_UNIX) as unconnected, open("/etc/hostname", "rb") as file:
        socket.send_fds(sender, [b"."], [file.fileno()])
        status, said, log = daemon.run(
            *options, "--test-forbidden", act, stdin=unconnected if act == "connect" else receiver)
    assert status == 0 and len(said.split()) == 2 and said.split()[0] == act, (act, status, said, log)
    return said.split()[1]


def traces_of(daemon):
    """What the acts leave behind in files."""
    traces = [os.path.join(os.path.dirname(daemon.folder), "liaisond-escaped"), daemon.path("link")]
    return [path for path in traces if os.path.lexists(path)]


def every_forbidden_act_fails():
    needs_hooks()
    with tempfile.TemporaryDirectory() as parent, Daemon(parent) as daemon:
        _, said, _ = daemon.run("--test-forbidden", "all")
        assert {line.split()[0] for line in said.splitlines()} == ACTS, said
        for act in ACTS:
            outcome = outcome_of(daemon, act)
            assert outcome in ("EPERM", "EACCES"), (act, outcome)
        assert traces_of(daemon) == []


def the_same_acts_succeed_without_the_sandbox():
    """Else the test above would show nothing."""
    needs_hooks()
    with tempfile.TemporaryDirectory() as parent, Daemon(parent) as daemon:
        for act in ACTS:
            outcome = outcome_of(daemon, act, "--unsafe-no-sandbox")
            assert outcome == "SUCCEEDED", (act, outcome)
        assert len(traces_of(daemon)) == 2, traces_of(daemon)


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
