"""./run: from a clean clone, on a terminal, interrupted at any moment: usage: test_run.py SOURCE [TEST...]"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from post_shell import run_tests
from terminal import COLUMNS, Terminal, adopt_orphans, children

SOURCE = pathlib.Path(sys.argv[1]).resolve()
AGREED = re.compile(r"records agree: ([0-9a-f]{64}) ([0-9a-f]{64})")
STATE = re.compile(r"(alliance|federation) +(\d\d:\d\d:\d\d\.\d{3})  (\w+ \d{4,}/\d\d) +(\w+) .*")
END_S = 10  # from Ctrl-C or SIGTERM to the end
FLASH_WORDS = 200
FILE_SIZE_MAX = 65536

folder = pathlib.Path(tempfile.mkdtemp(prefix="liaison-run-"))
clone = folder / "the clone"
scratch = folder / "for scratch"
files = folder / "files"
# It builds here what it builds where nothing but what it needs is installed: the programs, and no tests.
packages = folder / "packages"
environment = {**os.environ, "TMPDIR": str(scratch), "PKG_CONFIG_LIBDIR": str(packages)}


def clone_source(to):
    subprocess.run(["git", "clone", "-q", str(SOURCE), str(to)], check=True, timeout=60)


def hide_what_tests_need():
    packages.mkdir()
    known = subprocess.run(["pkg-config", "--variable", "pc_path", "pkg-config"], capture_output=True, encoding="utf-8", check=True)
    for place in map(pathlib.Path, known.stdout.strip().split(":")):
        for file in place.glob("*.pc"):
            if file.name != "cmocka.pc" and not (packages / file.name).exists():
                (packages / file.name).symlink_to(file)


def run(*arguments, where=clone, timeout=600):
    """The finished process of a ./run that has no terminal."""
    return subprocess.run(
        [str(clone / "run"), *map(str, arguments)], cwd=where, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, encoding="utf-8", timeout=timeout)


def nothing_is_left():
    """No process, dead or alive, but what ends by itself at once and is no program of ours; no file, so no lock."""
    end = time.monotonic() + 1
    left = children()
    while left and not any(name.startswith("liaison") for name in left.values()) and time.monotonic() < end:
        for process in left:
            os.waitpid(process, os.WNOHANG)
        time.sleep(0.02)
        left = children()
    assert not left, left
    assert os.listdir(scratch) == [], os.listdir(scratch)


def ended_well(result):
    """The two heads of a ./run --once that did all that it is to do."""
    assert result.returncode == 0 and result.stderr == "", (result.returncode, result.stdout[-2000:], result.stderr[-2000:])
    last = result.stdout.splitlines()[-1]
    assert AGREED.fullmatch(last), last
    nothing_is_left()
    return AGREED.fullmatch(last).groups()


def states_told(said):
    """{(side, reference): the states in their order}; the times of each are in order too."""
    told, times = {}, {}
    for line in said.splitlines():
        match = STATE.fullmatch(line)
        if match:
            told.setdefault(match.group(1, 3), []).append(match.group(4))
            times.setdefault(match.group(1, 3), []).append(match.group(2))
    # A day may end meanwhile: then the times begin anew once.
    assert all(sum(b < a for a, b in zip(row, row[1:])) <= 1 for row in times.values()), times
    return told


def shape(text):
    """Lines with all that differs from run to run put as one word. README shortens heads."""
    text = re.sub(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{16}…", "HEAD", text)
    text = re.sub(r"\b\d{6}Z [A-Z]{3} \d\d\b", "DTG", text)
    text = re.sub(r"\d\d:\d\d:\d\d\.\d{3}", "TIME", text)
    text = re.sub(r"/liaison\.\w{6}/", "/liaison.X/", text)
    return [re.sub(r"\d+", "0", line).rstrip() for line in text.splitlines()]


def readme_quote():
    """The output of ./run that README's tour shows."""
    tour = (SOURCE / "README.md").read_text(encoding="utf-8").split("## A tour")[1].split("\n## ")[0]
    return "\n".join(line.removeprefix("    ") for line in tour.splitlines() if line.startswith("    ") or line == "")


# ---- to its end ----


def from_a_clean_clone_it_ends_well_twice():
    clone_source(clone)
    kept = folder / "kept"
    for _ in range(2):
        result = run("--once", "--keep", kept)
        heads = ended_well(result)
        for side in ("alliance", "federation"):
            recomputed = subprocess.run(
                [sys.executable, str(pathlib.Path(__file__).with_name("recompute_heads.py")), str(kept / f"{side}.json")],
                capture_output=True, encoding="utf-8", timeout=60, check=True).stdout
            # Which party's log is the first depends on their ids.
            assert sorted(line.split()[3] for line in recomputed.splitlines()) == sorted(heads), (recomputed, heads)
        shutil.rmtree(kept)
    facts["output"] = result.stdout
    assert not (clone / "build/release/tests/unit").exists(), "hide_what_tests_need does not"
    status = subprocess.run(["git", "-C", str(clone), "status", "--porcelain"], capture_output=True, check=True).stdout
    assert status == b"", status


def every_state_is_shown_on_both_sides_in_order():
    told = states_told(facts["output"])
    (message,) = {reference for _, reference in told if reference.startswith("HEADQUARTERS")}
    (answer,) = {reference for _, reference in told if reference.startswith("EMBASSY")}
    own = ["released", "queued", "carried", "received"]
    assert told["alliance", message] == [*own, "read", "answered"], told
    assert told["federation", message] == ["received", "read", "answered"], told
    assert told["federation", answer] == own, told
    assert told["alliance", answer] == ["received"], told


def the_readme_shows_what_it_prints():
    """What one side says comes in order; between the sides lines may change places. "..." stands for any lines."""
    quoted, printed = shape(readme_quote()), shape(facts["output"])
    sides = ("alliance", "federation")
    for side in sides:
        assert [line for line in quoted if line.startswith(side)] == [line for line in printed if line.startswith(side)]
    quoted, printed = ("\n".join(line for line in lines if line and not line.startswith(sides)) for lines in (quoted, printed))
    pattern = ".*".join(re.escape(part) for part in quoted.split("  ..."))
    assert "  ..." in quoted and re.fullmatch(pattern, printed, re.DOTALL), (quoted, printed)


def what_is_no_message_is_refused_at_once():
    for name, content in (
            ("binary", b"\xff\xfe\x00"), ("latin", "na\xefve".encode("latin-1")), ("empty", b""),
            ("blank", b"\xef\xbb\xbf  \t\r\n\n \n"),
            ("long", b"x " * (FILE_SIZE_MAX // 2) + b"x"), ("good", b"Good.\n"), ("bell", b"Ring \x07 here."),
            ("return", "é\r\nmoż\r".encode()), ("mark", b"\xef\xbb\xbf\xef\xbb\xbf."), ("nul", b"one\ntwo\0"),
            ("tag", "\u200d\U000e0041".encode()), ("last", "x\U0010ffff".encode())):
        (files / name).write_bytes(content)
    (files / "kept").mkdir()
    (files / "kept" / "alliance.json").mkdir()
    os.mkfifo(files / "fifo")
    for words, *arguments in (
            ("is not UTF-8 text", files / "binary"), ("is not UTF-8 text", files / "latin"), ("no text to send", files / "empty"),
            ("no text to send", files / "blank"),
            (f"larger than the {FILE_SIZE_MAX} bytes", files / "long"), ("there is no file", files / "missing"),
            ("not a regular file", files), ("not a regular file", files / "fifo"), ("is empty", ""),
            ("one FILE", files / "good", files / "good"), ("line 1, column 6 of", files / "bell"),
            ("bell is <U+0007>, an", files / "bell"),
            ("line 2, column 4 of", files / "return"), ("return is <U+000D>", files / "return"),
            ("line 1, column 1 of", files / "mark"), ("line 2, column 4 of", files / "nul"),
            ("column 2 of", files / "tag"), ("tag is <U+E0041>", files / "tag"), ("last is <U+10FFFF>", files / "last"),
            ("no directory", "--keep", files / "good"), ("no directory", "--keep", files / "good" / "below"),
            ("no directory", "--keep", files / "kept"), ("no directory", "--keep", "/proc/none/such"),
            ("no option --twice", "--twice"), ("--keep takes", "--keep")):
        begin = time.monotonic()
        result = run("--once", *arguments)
        assert time.monotonic() - begin < END_S
        assert result.returncode == 2 and result.stdout == "", (arguments, result)
        assert re.fullmatch(r"run: [^\n]+\n", result.stderr) and words in result.stderr, (arguments, result)
        nothing_is_left()


def a_long_text_goes_priority_and_it_says_so():
    """The longest that a message can hold, named from where the user is; its words are not parted by ASCII alone, and it
    was written on another system."""
    words = "\ufeff" + "слово\r\n \r\n" * (FLASH_WORDS + 1)
    text = (words + "é" * FILE_SIZE_MAX).encode()[:FILE_SIZE_MAX]
    (files / "a long text").write_bytes(text.decode("utf-8", "ignore").encode().ljust(FILE_SIZE_MAX, b"."))
    result = run("a long text", where=files)
    ended_well(result)
    assert f"{FLASH_WORDS + 2} words, more than the {FLASH_WORDS} that FLASH allows: it goes PRIORITY" in result.stdout
    assert "PRECEDENCE: PRIORITY" in result.stdout and "FLASH\n" not in result.stdout


def two_at_a_time_do_not_meet():
    command = [str(clone / "run"), "--once"]
    both = [subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, encoding="utf-8") for _ in range(2)]
    for process in both:
        stdout, stderr = process.communicate(timeout=300)
        assert process.returncode == 0 and stderr == "", (process.returncode, stdout[-2000:], stderr[-2000:])
        assert AGREED.fullmatch(stdout.splitlines()[-1])
    nothing_is_left()


# ---- on a terminal ----


def commands_of(said):
    """The commands that it prints, as printed."""
    return re.findall(r"^  (\. \S.*|liaison .*)$", said[said.index("The line stays up"):], re.MULTILINE)


def try_commands(commands, outer):
    """Types each into a shell of its own; what is to be signed is agreed to, what goes on is interrupted."""
    with Terminal(["bash", "--norc", "--noprofile"], folder, {**os.environ, "PS1": "$ ", "TERM": "dumb"}) as shell:
        for number, command in enumerate(commands):
            shell.type(f"{command}; echo ended {number}: $?\n")
            if " send " in command:
                shell.until(r"Sign this\?")
                shell.type("yes\n")
                sent = shell.until(r"(EMBASSY \d+/\d\d) released").group(1)
                outer.until(f"federation +[0-9:.]+  {sent} +received  receipt verified")
            if " watch" in command:
                shell.until("watching: ")
                shell.interrupt()
                shell.type("echo over\n")
                shell.until("\nover\n")
            else:
                assert shell.until(rf"ended {number}: (\d+)").group(1) == "0", shell.said
        assert "Received and understood" not in shell.said and "unmanned aircraft" in shell.said
        assert "verified: " in shell.said and "courier: connected" in shell.said
        shell.type("exit\n")
        shell.end(10)


def stays_up(terminal):
    said = terminal.until(r"alliance\.sh in the place of federation\.sh\.\n").string
    assert AGREED.search(said)
    wide = [line for line in said.splitlines() if len(line) > COLUMNS and not line.startswith("records agree: ")]
    wide = [line for line in wide if str(scratch) not in line]
    assert wide == [], wide
    return said


def on_a_terminal_it_stays_and_its_commands_work_until_ctrl_c():
    with Terminal(["./run"], clone, environment) as terminal:
        commands = commands_of(stays_up(terminal))
        assert len(commands) == 7 and sum("watch" in command for command in commands) == 1, commands
        try_commands(commands, terminal)
        time.sleep(1)
        assert not terminal.has_ended(), terminal.said[-2000:]
        terminal.interrupt()
        status, took = terminal.end(30)
        nothing_is_left()
        assert status == 0 and took < END_S and "run: " not in terminal.said, (status, took, terminal.said[-500:])
        assert terminal.said.endswith("and nothing is left of it.\n"), terminal.said[-500:]
        print(f"# ended {took:.2f} s after Ctrl-C")


def sigterm_to_it_alone_ends_all():
    with Terminal(["./run"], clone, environment) as terminal:
        stays_up(terminal)
        os.kill(terminal.process, signal.SIGTERM)
        status, took = terminal.end(30)
        nothing_is_left()
        assert status == 128 + signal.SIGTERM and took < END_S and "run: " not in terminal.said, (status, took, terminal.said)
        print(f"# ended {took:.2f} s after SIGTERM")


def a_terminal_that_goes_away_ends_all():
    with Terminal(["./run", "--once"], clone, environment) as terminal:
        terminal.until("Embassy, officer")
        terminal.hang_up()
        status, took = terminal.end(30)
        nothing_is_left()
        assert status == 128 + signal.SIGHUP and took < END_S, (status, took)


def a_reader_that_goes_away_ends_it():
    for last in (b"Headquarters", b"released"):
        process = subprocess.Popen(
            [str(clone / "run")], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while last not in process.stdout.readline():
            assert process.poll() is None
        process.stdout.close()
        status, said = process.wait(60), process.stderr.read()
        process.stderr.close()
        assert (status, said) == (128 + signal.SIGPIPE, b""), (status, said)
        nothing_is_left()


def a_daemon_that_ends_is_no_line():
    with Terminal(["./run"], clone, environment) as terminal:
        stays_up(terminal)
        posts = [place for place in pathlib.Path("/proc").glob("[0-9]*")
                 if str(scratch).encode() in cmdline(place) and b"liaisond\0" in cmdline(place)]
        assert len(posts) == 2, posts
        os.kill(int(posts[0].name), signal.SIGKILL)
        status, _ = terminal.end(30)
        nothing_is_left()
        assert status == 1 and "a daemon has ended" in terminal.said, (status, terminal.said[-500:])


def cmdline(place):
    try:
        return (place / "cmdline").read_bytes()
    except OSError:
        return b""


def interrupted_at_any_moment_it_leaves_nothing():
    """Ctrl-C and SIGTERM in turn: after some time, and as soon as something was said."""
    moments = [0, 0.03, 0.1, 0.3, 1, "Headquarters, officer", "hand-carried", "channel open", "released", " read "]
    longest = 0
    for number, moment in enumerate(moments):
        with Terminal(["./run", "--once"], clone, environment) as terminal:
            if isinstance(moment, str):
                terminal.until(moment)
            else:
                time.sleep(moment)
            if number % 2:
                os.kill(terminal.process, signal.SIGTERM)
            else:
                terminal.interrupt()
            status, took = terminal.end(30)
            nothing_is_left()
            # Before it is a shell with traps, a signal ends it as it ends any program.
            signals = (-signal.SIGTERM, -signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGINT)
            assert status in signals, (moment, status, terminal.said[-1000:])
            assert "run: " not in terminal.said, terminal.said[-1000:]
            assert took < END_S, (moment, took)
            longest = max(longest, took)
    print(f"# ended within {longest:.2f} s")


def interrupted_while_it_builds_it_goes_on_from_there():
    shutil.rmtree(clone / "build")
    for moment in (0.8, 1.5, 3, 5):
        with Terminal(["./run", "--once"], clone, environment) as terminal:
            time.sleep(moment)
            terminal.interrupt()
            status, took = terminal.end(30)
            nothing_is_left()
            assert status == 128 + signal.SIGINT and took < END_S and "made" not in terminal.said, (status, took, terminal.said)
    result = run()
    ended_well(result)
    assert "building" in result.stdout


facts = {}

TESTS = (
    from_a_clean_clone_it_ends_well_twice,
    every_state_is_shown_on_both_sides_in_order,
    the_readme_shows_what_it_prints,
    what_is_no_message_is_refused_at_once,
    a_long_text_goes_priority_and_it_says_so,
    two_at_a_time_do_not_meet,
    on_a_terminal_it_stays_and_its_commands_work_until_ctrl_c,
    sigterm_to_it_alone_ends_all,
    a_terminal_that_goes_away_ends_all,
    a_reader_that_goes_away_ends_it,
    a_daemon_that_ends_is_no_line,
    interrupted_at_any_moment_it_leaves_nothing,
    interrupted_while_it_builds_it_goes_on_from_there,
)

if __name__ == "__main__":
    scratch.mkdir()
    files.mkdir()
    hide_what_tests_need()
    adopt_orphans()
    chosen = [test for test in TESTS if not sys.argv[2:] or test.__name__ in sys.argv[2:]]
    if chosen and chosen[0] is not TESTS[0]:
        clone_source(clone)
        subprocess.run([str(clone / "tools/build"), "release"], env=environment, check=True, stdout=subprocess.DEVNULL)
    del sys.argv[2:]
    try:
        run_tests(*chosen)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
