"""What a daemon that was taken over may ask of deliver: a process that holds smtpd's key and talks to its socket."""

import pathlib
import re
import socket
import struct

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2] / "common/ipc/messages.h"


def numbers():
    """The types of messages, and the version of the protocol, as the programs were built with."""
    text = SOURCE.read_text()
    names = re.search(r"enum class MessageType : std::uint8_t \{(.*?)\};", text, re.S)[1]
    names = [name for name in re.findall(r"^\s*(\w+)(?: = 1)?,", re.sub(r"//.*", "", names), re.M)]
    version = int(re.search(r"kProtocolVersion = (\d+)", text)[1])
    return {name: index + 1 for index, name in enumerate(names)}, version


def text(content):
    content = content.encode() if isinstance(content, str) else content
    assert len(content) < 128
    return bytes([len(content)]) + content


class Intruder:
    """Connects as `role`, with the key of `key_of`."""

    def __init__(self, stack, role, key_of=None):
        self.types, version = numbers()
        run = stack.folder / "data/run"
        key = (run / (key_of or role) / "key").read_bytes()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(30)
        self.socket.connect(str(run / role / "deliver.sock"))
        self.send("hello", bytes([version]) + text("intruder") + text(key), number=0)

    def send(self, name, payload, number=1):
        self.socket.sendall(struct.pack("<IBIB", len(payload), self.types[name], number, 0) + payload)

    def frames(self):
        """What deliver says until it hangs up, as (type, payload)."""
        data = b""
        while piece := self.socket.recv(65536):
            data += piece
        while data:
            size, kind, _, _ = struct.unpack_from("<IBIB", data)
            yield kind, data[10:10 + size]
            data = data[10 + size:]


def refused(stack):
    return int(re.search(r"refused_requests: (\d+)", stack.cli("status").out)[1])


@pytest.mark.parametrize("role,message,payload", [
    ("smtpd", "account_gone", b"\x01"), ("smtpd", "queue_command", b"\x03\x00"), ("smtpd", "apply_change", b"\x01\x01x"),
    ("imapd", "account_gone", b"\x01"), ("imapd", "queue_command", b"\x03\x00"), ("imapd", "deliver_message", b""),
    ("admin", "auth_step", b""), ("smtpd", "status_question", b"")])
def test_what_a_role_is_not_for_is_refused_counted_and_ends_the_connection(own_stack, role, message, payload):
    stack = own_stack().start()
    stack.receive("a@remote.test", [stack.address], "From: a@remote.test\r\nSubject: precious\r\n\r\nx\r\n")
    before = refused(stack)
    intruder = Intruder(stack, role)
    intruder.send(message, payload)
    kinds = {kind for kind, _ in intruder.frames()}
    assert kinds <= {intruder.types["hello"]}, "perhaps greeted, not answered, hung up on"
    assert refused(stack) == before + 1
    assert re.search(rf'event=ipc.problem what="{role} \(process \d+, user \d+\): may not send {message}"', stack.log())
    assert stack.wait_for_message(subject="precious")


def test_without_the_roles_key_deliver_does_not_even_greet(own_stack):
    stack = own_stack().start()
    before = refused(stack)
    intruder = Intruder(stack, "admin", key_of="smtpd")
    intruder.send("status_question", b"")
    assert list(intruder.frames()) == []
    assert refused(stack) == before + 1
