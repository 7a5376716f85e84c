"""The numbers of doc/PROTOCOL.md, section 15, are those of the code.

usage: numbers.py SOURCE_ROOT

Each number there stands in one of the phrases below, whose {} are constants of the source, divided by what turns their
unit into the page's. A number in no phrase, a phrase that is not in the page, and a constant of another value fail.
Prints TAP.
"""

import pathlib
import re
import sys

SECOND, MINUTE, HOUR = 1000, 60 * 1000, 60 * 60 * 1000

# The phrase; for each {} a constant (with its file where the name alone is not enough), and its divisor.
NUMBERS = [
    ("that post is sent `cannot_open`, at most {} in a minute", "CANNOT_OPEN_PER_MINUTE"),
    ("a position more than {} beyond the first one missing", "LOG_AHEAD_MAX"),
    ("an incarnation more than {} above the newest held", "LOG_INCARNATIONS_AHEAD"),
    ("it is kept as evidence, {} for each log", "EVIDENCE_MAX"),
    ("more than {} entries on a channel that the own party has not signed", "ENTRIES_PROPOSED_MAX"),
    ("{} ranges of refusals for each author's log in a day", "QUOTA_RANGES"),
    ("A reader takes each from {} to {} in every kind of entry", "PRECEDENCE_ROUTINE", "PRECEDENCE_FLASH"),
    ("a quarter of the terms' handling time for its precedence (at least {} s)", ("OUTBOX_RESEND_MIN_MS", SECOND)),
    ("then after twice as long each time, at most after {} hours", ("OUTBOX_RESEND_MAX_MS", HOUR)),
    ("is handed over again after {} s at FLASH, {} s at IMMEDIATE, {} s at PRIORITY and {} s at ROUTINE",
     ("RETRY_FLASH_MS", SECOND), ("RETRY_IMMEDIATE_MS", SECOND), ("RETRY_PRIORITY_MS", SECOND), ("RETRY_ROUTINE_MS", SECOND)),
    ("of each precedence at most {} at a look", "OUTBOX_RETRIES_MAX"),
    ("(at most {} of each precedence at a look)", "OUTBOX_STATEMENT_RETRIES_MAX"),
    ("until the courier has them or has given them up {} times", "OUTBOX_STATEMENT_TRIES"),
    ("of each precedence {} are kept for each party's posts", "OUTBOX_STATEMENT_PLACES"),
    ("(to the epoch key where it was that), at most {} times", "RESEALS_MAX"),
    ("and every {} intervals where none has", "HEADS_IDLE_INTERVALS"),
    ("is kept as proof ({} for each log)", "PROOFS_MAX"),
    ("`prekeys` for {} of them is published when fewer than {} are left", "KEYS_AHEAD", "KEYS_AHEAD_MIN"),
    ("Both together happen at most {} times a day", "PUBLISHED_DAILY_MAX"),
    ("or a log's end below a signed head of it, has stood for {} minutes", ("MISSING_PATIENCE_MS", MINUTE)),
    ("`liaison` tries for {} seconds by itself", ("cli/submit.c COURIER_WAIT_MS", SECOND)),
    ("{} times at most unless something comes of it", "MISSING_OPEN_ASKS"),
    ("for the own log up to {} other posts at a time", "ASKED_POSTS"),
    ("Between two asks it waits {} s, then four times as long each time, at most {} hours; when something came, "
     "{} s again", ("MISSING_AGAIN_MIN_MS", SECOND), ("MISSING_AGAIN_MAX_MS", HOUR), ("MISSING_AGAIN_MIN_MS", SECOND)),
    ("While it comes, in each such {} s something, it is not asked for again for {} hour:",
     ("MISSING_AGAIN_MIN_MS", SECOND), ("MISSING_COMING_MAX_MS", HOUR)),
    ("One statement looks past {} entries that are held", "record/missing.c AHEAD_MAX"),
    ("while that incarnation is asked for, it is asked for again {} s later, so at most each {} minutes",
     ("MISSING_AGAIN_MIN_MS", SECOND), ("MISSING_PATIENCE_MS", MINUTE)),
    ("is asked for by the next, {} s later ({} s where it had nothing to ask)", ("MISSING_AGAIN_MIN_MS", SECOND),
     ("NEXT_LOOK_MS", SECOND)),
    ("only the newest incarnation and the {} before it are asked for", "HEADS_FORMER_MAX"),
    ("For one statement a post looks at {} entries at most and gives {}, and to one post at most {} in an hour",
     "record/missing_answer.c LOOKED_AT_MAX", "MISSING_ANSWER_MAX", "MISSING_ANSWERS_HOURLY"),
]

# Numbers that the page says in words.
WORDS = [
    ("up to a second later, since a post looks once a second", "LOOP_TICK_MS", SECOND),
    ("is told to those who watch once an hour, each", "OUTBOX_TOLD_AGAIN_MS", HOUR),
    ("256 ranges of refusals for each author's log in a day", "QUOTA_WINDOW_MS", 24 * HOUR),
    ("the first four after a new own incarnation tell the last heads", "FORMER_TOLD_TIMES", 4),
    ("Epochs are a day long", "KEYS_EPOCH_S", 24 * HOUR // SECOND),
    ("again, at most once a minute, to a post that still seals to an epoch that has ended", "PREKEYS_RESEND_MS", MINUTE),
    ("at most 4 times a day", "DAY_MS", 24 * HOUR),
    ("at most 4,096 in an hour", "HOUR_MS", HOUR),
]

# What is no number of the code's: the names of sections, powers, references, and the page's own list.
NO_NUMBERS = [r"sections? \d+", r"2\^32", r"`[A-Z]+(?:\.\d+)? \d{4}/\d\d`", r"^## 15\.", r"^\d\. "]


def read_constants(root):
    """All constants of the post's core, and of what it is told with, by name and by file and name."""
    constants = {}
    others = [root / name for name in ("base/limits.h", "envelope/party.h", "post/loop.h", "cli/submit.c")]
    for path in [*others, *sorted((root / "record").glob("*.[ch]"))]:
        text = path.read_text(encoding="utf-8")
        found = re.findall(r"^#define (\w+)\s+(?:UINT64_C\()?(\d+)\b", text, re.M) + re.findall(
            r"^\s(\w+) = (\d+),", text, re.M)
        for name, value in found:
            constants.setdefault(name, set()).add(int(value))
            constants[f"{path.relative_to(root)} {name}"] = {int(value)}
    return constants


def read_section(root):
    """Section 15 on one line, without what is no number of the code's."""
    page = (root / "doc/PROTOCOL.md").read_text(encoding="utf-8")
    section = re.search(r"^## 15\..*", page, re.S | re.M)[0]
    for pattern in NO_NUMBERS:
        section = re.sub(pattern, "", section, flags=re.M)
    return " ".join(section.split())


def value_of(constants, wanted):
    name, divisor = wanted if isinstance(wanted, tuple) else (wanted, 1)
    values = constants.get(name, set())
    assert len(values) == 1, f"{name}: {values or 'no such constant'}"
    (value,) = values
    assert value % divisor == 0, f"{name}: {value}"
    return f"{value // divisor:,}"


def checks(root):
    """What is wrong with each statement, or an empty text, with its name."""
    constants, section = read_constants(root), read_section(root)
    for phrase, name, value in WORDS:
        good = phrase in section and constants.get(name) == {value}
        yield phrase, "" if good else f"{name} is {constants.get(name)}, in words {value}"
    rest = section
    for phrase, *names in NUMBERS:
        said = phrase.format(*(value_of(constants, name) for name in names))
        yield phrase, "" if said in section else f"the code says: {said}"
        rest = rest.replace(said, "")
    left = re.findall(r"\S*\d\S*(?: \S+){0,6}", rest)
    yield "no other number stands there", "" if not left else f"in no phrase: {left}"


def main():
    results = list(checks(pathlib.Path(sys.argv[1])))
    print(f"1..{len(results)}")
    for number, (name, problem) in enumerate(results, 1):
        print(f"{'not ok' if problem else 'ok'} {number} - {name.replace('{}', 'N').replace('#', '')}")
        if problem:
            print(f"# {problem}")


main()
