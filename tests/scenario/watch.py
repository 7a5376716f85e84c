"""A post's name is its party's choice: a hook is told no character of it that a shell takes for more.

usage: watch.py LIAISON"""

import os
import socket
import struct
import subprocess
import sys
import tempfile

import cbor2

NAME = "X$(id)`id`;|&<>\"'\\*?[](){}!#~=%"
REFERENCE = NAME.upper() + " 0001/26"
LIMIT_S = 20


def frame(item):
    content = cbor2.dumps(item)
    return struct.pack(">I", len(content)) + content


def read_frame(connection):
    size = struct.unpack(">I", connection.recv(4, socket.MSG_WAITALL))[0]
    return cbor2.loads(connection.recv(size, socket.MSG_WAITALL))


def entry_row():
    return [b"\x01" * 32, 64, 1, 0, REFERENCE, b"\x02" * 32, 1, 4, 1795320300, "", 1, "Officer", False, 4,
            1795320300000, []]


def reference_told(command, folder):
    told = folder + "/told"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(folder + "/post.sock")
        listener.listen(1)
        listener.settimeout(LIMIT_S)
        hook = "printf %s \"$LIAISON_REFERENCE\" > " + told
        watch = subprocess.Popen([command, "watch", "--post", folder, "--hook", hook],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            connection = listener.accept()[0]
            connection.settimeout(LIMIT_S)
            with connection:
                connection.sendall(frame([read_frame(connection)[0], 0]))             # SUBSCRIBE
                connection.sendall(frame([read_frame(connection)[0], 0, [], b""]))    # ENTRIES
                connection.sendall(frame([0, 1, entry_row()]))                        # ARRIVED
                connection.sendall(frame([0, 1, entry_row()]))
                connection.shutdown(socket.SHUT_WR)
                connection.recv(1)  # it has read both, and run the hook for them
        finally:
            watch.kill()
            watch.wait()
    with open(told, encoding="utf-8") as file:
        return file.read()


def main():
    print("1..1")
    with tempfile.TemporaryDirectory() as folder:
        told = reference_told(os.path.abspath(sys.argv[1]), folder)
    harmless = all(character.isalnum() or character in " ./-_" for character in told)
    right = harmless and told.startswith("X") and told.endswith(" 0001/26")
    print("ok 1" if right else "not ok 1", "- a hook is told a harmless reference")
    if not right:
        print("# told: " + ascii(told))
    sys.exit(0 if right else 1)


main()
