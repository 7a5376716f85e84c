"""What two couriers say to each other, decoded by tshark.

usage: courier_tshark.py LIAISON-COURIERD

The connection runs through a recorder; what it saw is written as a capture file, so that nobody needs to
listen on an interface. The session under TLS needs a build with test hooks (keylog)."""

import collections
import os
import shutil
import sys

from capture import CLIENT, Recorder, complaints, cut_at_records, fields, values, write_capture
from courier_world import has_test_hooks, run_tests
from fake_post import CARRIED, FLASH, PRIORITY, ROUTINE


def talk(world, extra_a, extra_b, *lines_a):
    """A session through the recorder, with bundles both ways, one of them large; ended in order."""
    a, b = world.pair()
    true_port = b.port
    recorder = Recorder.tcp(lambda: true_port)
    b.configure(b.line_for(a, extra_b))
    b.port = recorder.port
    a.configure(a.line_for(b, f"dial {extra_a}"), *lines_a)
    b.port = true_port
    b.up()
    a.up()
    a.link_is_up(b)
    copies = [a.post.send(b.node, precedence, os.urandom(size))
        for precedence, size in ((ROUTINE, 300), (FLASH, 200), (PRIORITY, 60000))]
    b.post.send(a.node, ROUTINE, os.urandom(500))
    b.post.wait(lambda: len(b.post.received) == 3, 10, "messages one way")
    a.post.wait(lambda: len(a.post.received) == 1, 10, "a message the other way")
    a.post.wait(lambda: all(a.post.progress.get(copy) == CARRIED for copy in copies), 10, "acknowledgments")
    assert a.stop() == 0
    assert b.stop() == 0
    recorder.close()
    return recorder.connections


def check(world, connections, preferences):
    """Everything is decoded, and nothing is complained of. The capture file."""
    capture = world.place / "capture.pcap"
    write_capture(capture, connections)
    malformed, remarks = complaints(capture, preferences)
    # What is sealed has no dissector: tshark notes that of each payload, and nothing else.
    assert malformed == "" and remarks <= {"Unknown type code"}, (malformed, remarks)
    nodes, sizes = values(
        capture, preferences, "tcpcl.v4.mhdr.type == 7", "tcpcl.v4.sess_init.nodeid_data", "tcpcl.v4.sess_init.xfer_mru")
    assert sorted(nodes) == ["ipn:1001.0", "ipn:2002.0"], nodes
    assert set(sizes) == {"131072"}, sizes
    destinations, statuses = values(capture, preferences, "bpv7", "bpv7.primary.dst_uri", "bpv7.crc_status")
    counts = collections.Counter(destinations)
    # The large one goes in fragments, so that a FLASH could pass between them.
    assert counts.pop("ipn:2002.2") > 1, counts
    assert counts == {"ipn:1001.1": 1, "ipn:2002.1": 1, "ipn:2002.4": 1}, counts
    # 1 is "Good"; each block has a checksum.
    assert len(statuses) >= 12 and set(statuses) == {"1"}, statuses
    terms, = values(capture, preferences, "tcpcl.v4.mhdr.type == 5", "tcpcl.v4.sess_term.flags.reply")
    assert len(terms) == 2, terms
    return capture


def read_late(parts):
    """As if the end of the client's handshake, its SESS_INIT and more had been read at once."""
    parts = list(cut_at_records(parts))
    # After the contact header: ClientHello, change_cipher_spec, Certificate, CertificateVerify.
    client = [at for at, (sender, _) in enumerate(parts) if sender is CLIENT]
    late = client[5:9]
    parts[late[0]] = CLIENT, b"".join(parts[at][1] for at in late)
    return [part for at, part in enumerate(parts) if at not in late[1:]]


def a_closed_link_is_decoded(world):
    if not shutil.which("tshark"):
        return "tshark is not installed"
    check(world, talk(world, "closed", "closed"), ())
    return None


def a_link_under_tls_is_decoded_with_its_keys(world):
    if not shutil.which("tshark"):
        return "tshark is not installed"
    keys = world.place / "keys.log"
    if not has_test_hooks(world.program):
        return "this build has no test hooks"
    connections = talk(world, "", "", f"keylog {keys}")
    capture = check(world, connections, ("-o", f"tls.keylog_file:{keys}"))
    # Without the keys nothing of it can be read.
    assert fields(capture, (), "bpv7", "bpv7.primary.dst_uri") == []
    # What is decoded does not depend on how much was read at once.
    check(world, map(read_late, connections), ("-o", f"tls.keylog_file:{keys}"))
    return None


TESTS = (a_closed_link_is_decoded, a_link_under_tls_is_decoded_with_its_keys)

if __name__ == "__main__":
    sys.exit(run_tests(TESTS, sys.argv[1], sys.argv[2:]))
