"""Officers at their posts, who do everything by the `liaison` command, and the transcript of what they were told."""

import collections
import json
import random
import subprocess
import threading
import time

COMMAND_S = 60  # a command that takes longer is ended, and its outcome is not known
PRECEDENCES = ("routine", "priority", "immediate", "flash")
SIZES = {"routine": (20, 160, 160, 1000, 10_000, 60_000), "priority": (20, 160, 160, 1000, 10_000)}
URGENT_SIZES = (20, 160, 160, 1000)
SAID_MAX = 2000  # of what a command wrote to standard error
PART = 3  # texts and acknowledgments of each officer at least, however slow the machine is


class Transcript:
    """One JSON object a line: when, which side, what was asked, what came of it. For many threads."""

    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8")
        self.lock = threading.Lock()
        self.begun = time.monotonic()

    def now(self):
        return round(time.monotonic() - self.begun, 4)

    def note(self, side, begun, **facts):
        line = json.dumps({"at": begun, "until": self.now(), "side": side, **facts})
        with self.lock:
            self.file.write(line + "\n")
            self.file.flush()

    def close(self):
        with self.lock:
            self.file.close()


def ask(transcript, party, *words, timeout=COMMAND_S):
    """Runs one command of a party, notes it, and returns its exit status (None: it was ended) and the JSON that it printed."""
    begun = transcript.now()
    words = [str(word) for word in (*words, "--json")]
    try:
        result = party.run(*words, timeout=timeout)
        status, printed, said = result.returncode, result.stdout, result.stderr
    except subprocess.TimeoutExpired:
        status, printed, said = None, "", "it took too long and was ended"
    try:
        value = json.loads(printed)
    except ValueError:
        value = None
    transcript.note(party.name, begun, words=words, status=status, printed=value, said=said[-SAID_MAX:])
    return status, value


class Officer(threading.Thread):
    """Writes to all others at the own pace, answers and acknowledges what has come, looks at what there is."""

    def __init__(self, transcript, party, seed, pause_s):
        super().__init__(daemon=True)
        self.transcript, self.party, self.pause_s = transcript, party, pause_s
        self.chance = random.Random(f"{seed} officer of {party.name}")
        self.seed = seed
        self.stopping = threading.Event()
        self.failure = None
        self.written = 0
        self.done = collections.Counter()  # commands that went well

    def run(self):
        try:
            while not self.stopping.is_set() or min(self.done["send"], self.done["ack"]) < PART:
                self.do_something()
                self.stopping.wait(self.chance.uniform(0, 2 * self.pause_s))
        except Exception as failure:
            self.failure = failure

    def ask(self, *words):
        status, value = ask(self.transcript, self.party, *words)
        self.done[words[0]] += status == 0
        return status, value

    def text(self, precedence):
        """A text that nobody else writes; the words of an urgent one are long, since they are few."""
        self.written += 1
        size = self.chance.choice(SIZES.get(precedence, URGENT_SIZES))
        mark = f"{self.seed} {self.party.name} {self.written}."
        letters = "abcdefghijklmnopqrstuvwxyz åß§漢字"
        word = "".join(self.chance.choice(letters) for _ in range(12)).strip() or "a"
        lines = self.chance.choice((" ", "\n", "\n\n"))
        text = mark + lines
        while len(text.encode()) < size and (precedence in SIZES or len(text.split()) < 150):
            text += word + str(len(text)) + " "
        return text.strip()

    def do_something(self):
        other = self.chance.choice(self.party.others)
        channel = self.party.channels[other.name]
        act = self.chance.random()
        if act < 0.62:
            self.send(channel)
        elif act < 0.92:
            self.answer(channel)
        elif act < 0.96:
            self.ask("inbox", "-c", channel)
        else:
            self.ask("inbox", "--sent", "-c", channel)

    def send(self, channel):
        precedence = self.chance.choice(PRECEDENCES)
        options = ["-s", f"subject {self.written + 1}"] if self.chance.random() < 0.7 else []
        if self.chance.random() < 0.1:
            options += ["--ack-by", "+30"]
        self.ask("send", "-c", channel, "-p", precedence, "-m", self.text(precedence), *options, "--yes")

    def answer(self, channel):
        """Acknowledges what has come, or answers it; the newest, since older ones may have been tried in vain."""
        status, rows = self.ask("inbox", "--unread", "-c", channel)
        for row in (rows or [])[-2:] if status == 0 else []:
            if self.chance.random() < 0.25:
                self.ask("reply", row["reference"], "-c", channel, "-p", "routine", "-m", self.text("routine"), "--yes")
            note = ["--note", "read at the desk"] if self.chance.random() < 0.3 else []
            self.ask("ack", row["reference"], "-c", channel, *note, "--yes")

    def check(self):
        assert self.failure is None, f"the officer of the {self.party.name}: {self.failure!r}"


class Watch(threading.Thread):
    """`liaison watch` of a side, all the time: every line that it prints stands in the transcript. It ends with its starter."""

    def __init__(self, transcript, party):
        super().__init__(daemon=True)
        self.transcript, self.party = transcript, party
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", str(party.world.programs["liaison"]), "watch", "--json"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
            env=party.command_environment())
        self.start()

    def run(self):
        for line in self.process.stdout:
            try:
                event = json.loads(line.replace("\a", ""))
            except ValueError:
                event = {"event": None, "said": line}
            self.transcript.note(self.party.name, self.transcript.now(), watch=event)

    def end(self):
        """Its exit status: 0 after the signal that ends it."""
        if self.process.poll() is None:
            self.process.terminate()
        status = self.process.wait(30)
        self.join(30)
        return status
