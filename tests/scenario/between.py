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


def pass_until(listener, post, verb, then):
    command = listener.accept()[0]
    with command, socket.socket(socket.AF_UNIX) as daemon:
        daemon.connect(str(post))
        while request := frame(command):
            if cbor2.loads(request[4:])[1] == verb:
                then()
                return
            daemon.sendall(request)
            command.sendall(frame(daemon))


@contextlib.contextmanager
def lost_at(verb, post, folder, then=lambda: None):
    """One command that is given `folder` as its post's directory speaks to the post at the socket `post`, until it asks
    with `verb`: then `then` is called, and the command finds itself alone."""
    folder.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "post.sock"))
        listener.listen(1)
        listener.settimeout(30)
        thread = threading.Thread(target=pass_until, args=(listener, post, verb, then))
        thread.start()
        yield
        thread.join(30)
