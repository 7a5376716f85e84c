"""A program on a terminal of 80 columns, what it prints and how it ends; what it leaves behind, and may do to us."""

import contextlib
import ctypes
import errno
import fcntl
import os
import pathlib
import pty
import re
import select
import signal
import struct
import termios
import time

COLUMNS = 80
PR_SET_CHILD_SUBREAPER = 36
PR_SET_PTRACER = 0x59616D61
ANY_PROCESS = ctypes.c_ulong(-1)


def adopt_orphans():
    """Whatever a program leaves behind becomes a child of this process, alive or dead."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "PR_SET_CHILD_SUBREAPER")


def let_children_trace():
    """Where the kernel has Yama, a process may be traced by its parents only, unless it says that it may."""
    ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANY_PROCESS, 0, 0, 0)


def children():
    """{process: its name} of all children of this process; their own children come to it when they end."""
    found = {}
    for place in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            name, rest = re.fullmatch(r"\d+ \((.*)\) (.*)\n", (place / "stat").read_text(), re.DOTALL).groups()
            if int(rest.split()[1]) == os.getpid():
                found[int(place.name)] = name
    return found


def shown_on_terminal(command, environment, columns):
    """What a program shows that asks nothing and ends, on a terminal of so many columns; its exit status."""
    process, terminal = pty.fork()
    if process == 0:
        try:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
            os.execvpe(command[0], command, environment)
        finally:
            os._exit(127)
    said = b""
    with contextlib.suppress(OSError):  # the terminal is closed at its end
        while select.select([terminal], [], [], 60)[0]:
            said += os.read(terminal, 65536)
    os.close(terminal)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    return said.decode().replace("\r\n", "\n"), status


class Terminal:
    def __init__(self, command, folder, environment):
        self.said = ""
        self.status = None
        # A signal that comes before the program is there waits for it.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        self.process = None
        try:
            self.process, self.terminal = pty.fork()
        finally:
            if self.process != 0:  # also where there is no terminal to be had
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
        if self.process == 0:
            try:
                for number in (signal.SIGINT, signal.SIGPIPE):
                    signal.signal(number, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
                fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
                os.chdir(folder)
                os.write(1, b"\0")  # here is somebody who hears a Ctrl-C
                os.execvpe(command[0], command, environment)
            finally:
                os._exit(127)
        assert os.read(self.terminal, 1) == b"\0"

    def read(self, seconds):
        """Takes in what comes within the time; False when nothing more can come."""
        if self.terminal is None:
            time.sleep(seconds)
            return False
        if select.select([self.terminal], [], [], seconds)[0]:
            try:
                data = os.read(self.terminal, 65536)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                return False
            self.said += data.decode("utf-8", "replace").replace("\r\n", "\n")
            return data != b""
        return True

    def until(self, pattern, seconds=120):
        """Reads until the pattern is there; its match."""
        end = time.monotonic() + seconds
        while True:
            match = re.search(pattern, self.said)
            if match:
                return match
            assert time.monotonic() < end, f"{pattern!r} does not come: {self.said[-3000:]}"
            assert self.read(0.1), f"it ended before {pattern!r}: {self.said[-3000:]}"

    def type(self, text):
        os.write(self.terminal, text.encode())

    def interrupt(self):
        """Ctrl-C: SIGINT to the whole foreground process group."""
        self.type("\x03")

    def hang_up(self):
        """The terminal goes away: SIGHUP to the program, nobody to write to any more."""
        os.close(self.terminal)
        self.terminal = None

    def has_ended(self):
        if self.status is None:
            process, status = os.waitpid(self.process, os.WNOHANG)
            if process != 0:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def end(self, seconds):
        """Waits for the end; (exit status, seconds that it took)."""
        start = time.monotonic()
        while not self.has_ended():
            assert time.monotonic() - start < seconds, f"it does not end: {self.said[-3000:]}"
            self.read(0.02)
        took = time.monotonic() - start
        while self.terminal is not None and select.select([self.terminal], [], [], 0)[0] and self.read(0):
            pass
        return self.status, took

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.has_ended():
            os.kill(self.process, signal.SIGTERM)
            with contextlib.suppress(AssertionError):
                self.end(10)
        if not self.has_ended():
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
        if self.terminal is not None:
            os.close(self.terminal)
