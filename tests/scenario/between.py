"""Between a command and its post: all that passes is known, and the post can be lost at a moment of choice."""

import contextlib
import socket
import struct
import threading

import cbor2


def frame(stream):
    """One frame as it stands; nothing at the end of the stream."""
    size = stream.recv(4, socket.MSG_WAITALL)
    return b"" if len(size) < 4 else size + stream.recv(struct.unpack(">I", size)[0], socket.MSG_WAITALL)


def pass_until(listener, post, verb, then, taken):
    command = listener.accept()[0]
    with command, socket.socket(socket.AF_UNIX) as daemon:
        daemon.connect(str(post))
        while request := frame(command):
            if cbor2.loads(request[4:])[1] == verb:
                if taken:
                    daemon.sendall(request)
                    frame(daemon)
                then()
                return
            daemon.sendall(request)
            command.sendall(frame(daemon))


@contextlib.contextmanager
def lost_at(verb, post, folder, then=lambda: None, taken=False):
    """One command that is given `folder` as its post's directory speaks to the post at the socket `post`, until it asks
    with `verb`: then `then` is called, and the command finds itself alone. `taken`: the post still does what it is asked
    for, and only its reply is lost."""
    folder.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "post.sock"))
        listener.listen(1)
        listener.settimeout(30)
        thread = threading.Thread(target=pass_until, args=(listener, post, verb, then, taken))
        thread.start()
        yield
        thread.join(30)
