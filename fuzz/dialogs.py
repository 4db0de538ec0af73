#!/usr/bin/env python3
"""Turns the scripts of tests/dialogs/imap into inputs of imap_session_fuzz: fuzz/dialogs.py FOLDER."""
import pathlib
import re
import sys

HAND_OVER = b"\0\0\0"
ESCAPES = {b"r": b"\r", b"n": b"\n", b"0": b"\0"}
GREETING = 0x80


def unescape(text):
    return re.sub(rb"\\(.)", lambda match: ESCAPES.get(match[1], match[1]), text)


def stream_of(script):
    """The client's lines; whoever speaks next after the other one is given the word."""
    start, speaker, stream = 0, 0, b""
    for line in script.split(b"\n"):
        if line.startswith((b"@greeting", b"@needs-tls")):
            start = GREETING
        spoken = re.match(rb"C([0-9]*)([:-])(?: (.*))?$", line)
        if spoken is None:
            continue
        number, ending, text = spoken[1], spoken[2], spoken[3] or b""
        client = (int(number or 1) - 1) % 2
        if client != speaker:
            stream += HAND_OVER
            speaker = client
        stream += unescape(text) if ending == b"-" else text + b"\r\n"
    return bytes([start]) + stream


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    dialogs = pathlib.Path(__file__).parent.parent / "tests/dialogs/imap"
    for script in sorted(dialogs.glob("*.txt")):
        (folder / script.stem).write_bytes(stream_of(script.read_bytes()))


if __name__ == "__main__":
    main()
