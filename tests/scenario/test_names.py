"""Two posts of one name on a channel: each entry has a reference that means it alone: usage: test_names.py BUILD"""

import json
import re
import subprocess
import sys

from line import Line, export_card_of_stranger, wait_for
from post_shell import run_tests

NAME = "HEADQUARTERS"
CARD_ACCEPT, PARTIES = 5, 10
BAD_ARGUMENT, NAMESAKE = 59, 62

line = None
facts = {}


def choose_one_name(made):
    made.federation.post_name = made.alliance.post_name.upper()


def number_of(reference):
    return int(re.search(r" (\d+)/\d\d$", reference)[1])


def opening_says_that_references_name_the_party():
    result = line.alliance.run("channel", "open", "--with", "Federation", "--yes")
    assert result.returncode == 0, result
    sentences = [text for text in result.stderr.splitlines() if "both parties have a post called" in text]
    assert len(sentences) == 1 and "'Federation/HEADQUARTERS 1'" in sentences[0], result


def a_message_is_shown_acknowledged_and_answered_by_its_printed_reference():
    alliance, federation = line.sides
    question = alliance.send("Is this your division?", "-p", "flash")
    assert question.startswith(f"ALLIANCE/{NAME} "), question
    line.wait_until_held(federation, question)
    facts["question"] = question
    assert question in federation.text("inbox")
    assert f"{question}\n" in federation.text("show", question)
    assert federation.json("ack", question, "--yes")["reference"].startswith(f"FEDERATION/{NAME} ")
    line.wait_for_state(alliance, question, "read")
    answer = federation.json("reply", question, "-m", "It is.", "--yes")["reference"]
    assert answer.startswith(f"FEDERATION/{NAME} "), answer
    line.wait_until_held(alliance, answer)
    shown = alliance.text("show", answer)
    assert f"{answer}\n" in shown, shown
    line.wait_for_state(alliance, question, "answered")
    alliance.json("ack", answer, "--yes")
    line.wait_for_state(federation, answer, "read")


def both_sides_print_the_same_references():
    line.wait_until_quiet()
    line.wait_until_heads_agree()
    logs = [{row["reference"] for row in json.loads(side.text("log", "--json"))["entries"]} for side in line.sides]
    assert facts["question"] in logs[0] and logs[0] == logs[1], logs
    assert all(re.match(rf"(ALLIANCE|FEDERATION)/{NAME} \d{{4}}/\d\d$", reference) for reference in logs[0]), logs
    for side in line.sides:
        side.text("verify")
        assert facts["question"] in side.text("log")


def the_short_form_is_refused_with_the_forms_that_work():
    number, party = number_of(facts["question"]), line.alliance.json("party", "show")["party"]
    log = line.alliance.show(facts["question"])["log"]
    for side in line.sides:
        for short in (f"{NAME} {number:04}/26", f"headquarters {number}", f"{NAME} 9999"):
            result = side.run("show", short)
            assert result.returncode == 1 and f"more than one post on this channel is called '{short.split()[0]}'" in result.stderr
            wanted = short.split()[1].split("/")[0].lstrip("0")
            for name in "ALLIANCE", "FEDERATION":
                assert f"'{name}/{NAME} {wanted}'" in result.stderr, result
        for form in (f"alliance/headquarters {number}", f"{party[:8]}/{NAME} {number}", f"{party[:11].upper()}/{NAME} {number:04}",
                     f"log {log} {number}"):
            assert side.show(form)["reference"] == facts["question"], form
        for form in (f"Duchy/{NAME} {number}", f"00000000/{NAME} {number}", f"/{NAME} {number}", f"log 63 {number}"):
            assert "no post on this channel is called" in side.run("show", form).stderr, form


def what_is_watched_has_the_same_reference():
    federation, told = line.federation, line.folder / "told"
    watch = subprocess.Popen(
        [str(line.programs["liaison"]), "watch", "--json", "--hook", f'echo "$LIAISON_EVENT $LIAISON_REFERENCE" >> {told}'],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8", env=federation.command_environment())
    try:
        assert json.loads(watch.stdout.readline())["event"] == "watching"
        reference = line.alliance.send("Watch this.", "-p", "flash")
        wait_for(lambda: told.exists() and f"arrived {reference}\n" in told.read_text(), "the hook is told of it")
        told_events = []
        while not told_events or told_events[-1]["event"] != "arrived":
            told_events.append(json.loads(watch.stdout.readline()))
        assert told_events[-1]["reference"] == reference, told_events
    finally:
        watch.terminate()
        watch.wait(20)


# ---- parties of one name ----


def no_program_has_a_party_of_a_known_name_accepted_without_its_id():
    alliance, card = line.alliance, line.folder / "stranger.card"
    known = line.federation.json("party", "show")["party"]
    party = export_card_of_stranger(alliance, card, "FEDERATION", "ipn:3002.0")
    with alliance.client() as client:
        _, error, detail = client.ask(CARD_ACCEPT, card.read_bytes())
        assert error == NAMESAKE and party in detail and known in detail, (error, detail)
        for wrong in known, party[:29], "", party + "0":
            assert client.ask(CARD_ACCEPT, card.read_bytes(), wrong)[1] == BAD_ARGUMENT, wrong
        for wrong in [bytes.fromhex(party)], [party, party], [None]:
            assert client.ask(CARD_ACCEPT, card.read_bytes(), *wrong)[1] == BAD_ARGUMENT, wrong
        assert party not in [row[0].hex() for row in client.ask(PARTIES)[2]]
        assert client.ask(CARD_ACCEPT, card.read_bytes(), party[:30])[1:3] == [0, bytes.fromhex(party)]
        assert client.ask(CARD_ACCEPT, card.read_bytes())[1] == 0  # known by now
    result = alliance.run("keying", "make", line.folder / "k", "--with", "Federation")
    assert result.returncode == 1 and "more than one party is called" in result.stderr, result


def a_sealed_card_of_a_party_of_a_known_name_is_accepted_with_its_id_alone():
    federation = line.federation
    card, sealed = line.folder / "third.card", line.folder / "third.sealed"
    party = export_card_of_stranger(federation, card, "alliance", "ipn:3003.0", sealed, federation.folder / "card")
    known = line.alliance.json("party", "show")["party"]
    accept = ["card", "accept", sealed, "--sealed", "--yes"]
    result = federation.run(*accept)
    assert result.returncode == 1 and result.stdout == "", result
    assert party in result.stderr and known in result.stderr and "--id" in result.stderr, result
    result = federation.run(*accept, "--id", known)
    assert result.returncode == 1 and "does not begin with" in result.stderr, result
    result = federation.run("keying", "make", line.folder / "k", "--with", party)
    assert "no card of a party" in result.stderr, result
    assert federation.json(*accept, "--id", party[:30].upper())["party"] == party
    federation.json("keying", "make", line.folder / "k", "--with", party)


if __name__ == "__main__":
    with Line(sys.argv[1], fresh=True, prepare=choose_one_name) as line:
        run_tests(
            opening_says_that_references_name_the_party,
            a_message_is_shown_acknowledged_and_answered_by_its_printed_reference,
            both_sides_print_the_same_references,
            the_short_form_is_refused_with_the_forms_that_work,
            what_is_watched_has_the_same_reference,
            no_program_has_a_party_of_a_known_name_accepted_without_its_id,
            a_sealed_card_of_a_party_of_a_known_name_is_accepted_with_its_id_alone,
        )
