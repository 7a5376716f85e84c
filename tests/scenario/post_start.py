"""Starting and ending: usage: post_start.py LIAISOND [LIAISON]"""

import os
import shutil
import signal
import stat
import subprocess
import tempfile

from post_shell import Client, Daemon, HELLO, PROGRAM, Skip, post_file, run_tests


def a_second_daemon_on_the_same_directory_is_refused():
    with Daemon().start() as daemon:
        status, _, said = daemon.run()
        assert status == 1 and "in use by another liaisond" in said, said
        with Client(daemon) as client:
            assert client.ask(HELLO)[1] == 0
        assert os.path.exists(daemon.path("post.sock"))


def after_a_kill_it_starts_again_at_once():
    with Daemon().start() as daemon:
        daemon.end(signal.SIGKILL)
        assert os.path.exists(daemon.path("post.sock"))
        daemon.start()
        with Client(daemon) as client:
            assert client.ask(HELLO)[1] == 0


def each_signal_to_end_ends_it_well_and_leaves_no_socket():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with Daemon().start() as daemon:
            with Client(daemon) as client:
                client.ask(HELLO)
                assert daemon.end(number) == 0
            left = sorted(os.listdir(daemon.folder))
            assert left == ["anchor", "lock", "reserve", "store.db"], left
            assert daemon.log() == "", daemon.log()


def all_files_are_private():
    with Daemon().start() as daemon:
        for name in os.listdir(daemon.folder):
            mode = stat.S_IMODE(os.stat(daemon.path(name)).st_mode)
            assert mode == 0o600, (name, oct(mode))


def a_directory_that_others_may_enter_is_refused():
    with Daemon() as daemon:
        for mode in (0o750, 0o701, 0o500):
            os.chmod(daemon.folder, mode)
            status, _, said = daemon.run()
            assert status == 1 and "chmod 700" in said, said
            assert os.listdir(daemon.folder) == ["post.init"]
        os.chmod(daemon.folder, 0o700)


def a_directory_of_another_user_is_refused():
    if os.geteuid() != 0:
        raise Skip("only root can give a directory away")
    with Daemon() as daemon:
        os.chown(daemon.folder, 12345, 12345)
        status, _, said = daemon.run()
        assert status == 1 and "belongs to another user" in said, said


def a_directory_that_is_none_is_refused():
    with Daemon() as daemon:
        for name, words in (("absent", "does not exist"), ("post.init", "not a directory")):
            result = subprocess.run([PROGRAM, "--dir", daemon.path(name)], capture_output=True, timeout=60)
            assert result.returncode == 1 and words in result.stderr.decode(), result


def wrong_arguments_are_answered_with_what_to_do():
    cases = (
        ([], "--dir is missing"),
        (["--dir"], "a value is missing after --dir"),
        (["--dir", ""], "a value is missing"),
        (["--frobnicate", "x"], "no option --frobnicate"),
        (["--anchor"], "a value is missing after --anchor"),
    )
    for arguments, words in cases:
        result = subprocess.run([PROGRAM, *arguments], capture_output=True, timeout=60)
        said = result.stderr.decode()
        assert result.returncode == 2 and words in said and said.count("\n") == 1, (arguments, said)


def help_and_version_are_told():
    said = subprocess.run([PROGRAM, "--help"], capture_output=True, check=True).stdout.decode()
    assert said.startswith("Usage: liaisond --dir DIR") and "--anchor FILE" in said
    said = subprocess.run([PROGRAM, "--version"], capture_output=True, check=True).stdout.decode()
    assert said.startswith("liaisond ") and said.count("\n") == 1


def an_empty_directory_holds_no_post():
    with Daemon() as daemon:
        os.unlink(daemon.path("post.init"))
        for options in ([], ["--anchor", daemon.path("elsewhere")]):
            status, _, said = daemon.run(*options)
            assert status == 1 and "liaison post create" in said, said
            assert os.listdir(daemon.folder) == []  # nothing was made in it


def the_post_file_is_taken_in_and_erased():
    with Daemon() as daemon:
        os.link(daemon.path("post.init"), daemon.path("second-name"))
        daemon.start()
        assert not os.path.exists(daemon.path("post.init"))
        with open(daemon.path("second-name"), "rb") as file:
            assert file.read() == bytes(len(post_file()))


def a_post_file_that_was_taken_in_before_a_crash_is_erased():
    with Daemon() as daemon:
        copy = daemon.path("copy")
        shutil.copy(daemon.path("post.init"), copy)
        status, _, said = daemon.run("--test-crash-after-commit", "2")
        if "no option" in said:
            raise Skip("this build has no test hooks")
        assert status == 86, said
        assert os.path.exists(daemon.path("post.init"))
        daemon.start()
        assert not os.path.exists(daemon.path("post.init"))
        daemon.end()
        os.rename(copy, daemon.path("post.init"))
        daemon.start()
        assert not os.path.exists(daemon.path("post.init"))
        daemon.end()
        with open(daemon.path("post.init"), "wb") as file:
            file.write(bytes(1000))  # a crash between the zeros and the end of the file
        daemon.start()
        assert not os.path.exists(daemon.path("post.init"))


def the_post_file_of_another_post_is_left_alone():
    with Daemon().start() as daemon:
        daemon.end()
        secret = b"\x81" + os.urandom(63)
        with open(daemon.path("post.init"), "wb") as file:
            file.write(secret)
        status, _, said = daemon.run()
        assert status == 1 and "holds a post already" in said, said
        with open(daemon.path("post.init"), "rb") as file:
            assert file.read() == secret


def a_post_file_that_is_none_is_refused():
    with Daemon() as daemon:
        with open(daemon.path("post.init"), "wb") as file:
            file.truncate(10_000_000)
        status, _, said = daemon.run()
        assert status == 1 and "post.init cannot be read" in said, said
        with open(daemon.path("post.init"), "wb") as file:
            file.write(b"something else")
        for _ in range(2):  # it stays, whatever was tried with it
            status, _, said = daemon.run()
            assert status == 1 and "post.init was not accepted" in said, said
        with open(daemon.path("post.init"), "rb") as file:
            assert file.read() == b"something else"
        os.unlink(daemon.path("post.init"))
        os.symlink("/etc/hostname", daemon.path("post.init"))
        status, _, said = daemon.run()
        assert status == 1 and "post.init cannot be read" in said, said


def the_anchor_may_lie_elsewhere_by_a_path_from_where_it_was_started():
    with Daemon() as daemon, tempfile.TemporaryDirectory() as elsewhere:
        daemon.start("--anchor", "keep/anchor-of-embassy", wait=False, cwd=elsewhere)
        assert daemon.process.wait(timeout=60) == 1 and "No such file" in daemon.log()
        os.mkdir(elsewhere + "/keep")
        daemon.start("--anchor", "keep/anchor-of-embassy", cwd=elsewhere)
        assert os.path.getsize(elsewhere + "/keep/anchor-of-embassy") == 32768
        assert not os.path.exists(daemon.path("anchor"))
        with Daemon() as second:
            status, _, said = second.run("--anchor", elsewhere + "/keep/anchor-of-embassy")
            assert status == 1 and "in use by another liaisond" in said, said


def a_damaged_anchor_is_said_and_another_file_is_spared():
    with Daemon().start() as daemon:
        daemon.end()
        with open(daemon.path("anchor"), "r+b") as file:
            for at in (20, 16384 + 20):
                file.seek(at)
                file.write(b"\xff")
        daemon.start()
        assert "the anchor is damaged" in daemon.log()
        daemon.end()
        with open(daemon.path("diary"), "w", encoding="ascii") as file:
            file.write("Dear diary")
        status, _, said = daemon.run("--anchor", daemon.path("diary"))
        assert status == 1 and "is something else" in said, said
        with open(daemon.path("diary"), "rb") as file:
            assert file.read(10) == b"Dear diary"


def a_store_that_is_none_is_refused():
    with Daemon() as daemon:
        with open(daemon.path("store.db"), "wb") as file:
            file.write(b"no database at all, and long enough to be looked at" * 100)
        status, _, said = daemon.run()
        assert status == 1 and "store.db is not a store of liaisond" in said, said


def what_an_unfinished_backup_left_is_removed():
    with Daemon() as daemon:
        with open(daemon.path("backup.tmp"), "wb") as file:
            file.write(b"left")
        daemon.start()
        assert not os.path.exists(daemon.path("backup.tmp"))


def standard_descriptors_that_are_closed_are_no_trouble():
    with Daemon() as daemon:
        daemon.start(preexec_fn=lambda: [os.close(fd) for fd in (0, 1, 2)])
        with Client(daemon) as client:
            assert client.ask(HELLO)[1] == 0
        fds = os.listdir(f"/proc/{daemon.process.pid}/fd")
        assert {"0", "1", "2"} <= set(fds)
        for fd in "012":
            assert os.readlink(f"/proc/{daemon.process.pid}/fd/{fd}") == "/dev/null"


if __name__ == "__main__":
    run_tests(
        a_second_daemon_on_the_same_directory_is_refused,
        after_a_kill_it_starts_again_at_once,
        each_signal_to_end_ends_it_well_and_leaves_no_socket,
        all_files_are_private,
        a_directory_that_others_may_enter_is_refused,
        a_directory_of_another_user_is_refused,
        a_directory_that_is_none_is_refused,
        wrong_arguments_are_answered_with_what_to_do,
        help_and_version_are_told,
        an_empty_directory_holds_no_post,
        the_post_file_is_taken_in_and_erased,
        a_post_file_that_was_taken_in_before_a_crash_is_erased,
        the_post_file_of_another_post_is_left_alone,
        a_post_file_that_is_none_is_refused,
        the_anchor_may_lie_elsewhere_by_a_path_from_where_it_was_started,
        a_damaged_anchor_is_said_and_another_file_is_spared,
        a_store_that_is_none_is_refused,
        what_an_unfinished_backup_left_is_removed,
        standard_descriptors_that_are_closed_are_no_trouble,
    )
