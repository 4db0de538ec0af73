"""A data folder with a bit of everything in it: made by the programs of one format, opened by those of every later one.

    unshare --net --mount --pid --fork --mount-proc --kill-child -- tests/e2e/lab/data_folder.py BIN tests/data/format/N

makes the archives of format N with the programs in BIN: one folder left by a clean stop, one by a SIGKILL in the
middle of work."""

import hashlib
import imaplib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

imaplib.Commands.update(SETMETADATA=("AUTH",), GETMETADATA=("AUTH",))
PEOPLE = ("you@example.test", "friend@example.test")


def _message(number, size=0):
    return (f"From: Writer {number} <writer{number}@remote.test>\r\nTo: you@example.test\r\n"
            f"Subject: number {number} =?utf-8?q?=C3=A4?=\r\n"
            f"Message-ID: <{number}@remote.test>\r\nDate: Tue, 1 Dec 2026 10:{number % 60:02}:00 +0100\r\n\r\n"
            f"text of {number}\r\n" + "x" * size + "\r\n").encode()


def fill(stack):
    """Two accounts, mailboxes, flags, keywords, gaps in the UIDs, a share, annotations, aliases, mail in the queue."""
    you, friend = PEOPLE
    stack.add_account(friend)
    stack.cli("account", "set", friend, "--name", "A Friend", "--hide-capability", "UIDONLY")
    stack.cli("account", "quota", friend, "1G", "--messages", "1000")
    stack.cli("alias", "add", "sales@example.test", you, friend)
    client = stack.imap_login(you)
    for name in ("Archive/2026", "Team", '"Entw&APw-rfe und mehr"'):
        assert client.create(name)[0] == "OK"
    assert client.subscribe("Archive/2026")[0] == "OK"
    for number in range(1, 21):
        # One is flushed as a file instead of going through the journal.
        assert client.append("INBOX", None, f'"0{number % 9 + 1}-Nov-2026 08:00:00 +0000"',
                             _message(number, 300_000 if number == 7 else 0))[0] == "OK"
    client.select("INBOX")
    for uids, flags in (("1:5", r"(\Seen)"), ("3", r"(\Flagged $Important)"), ("4,9", r"(\Answered NonJunk)"),
                        ("6:8", r"(\Deleted)")):
        assert client.uid("STORE", uids, "+FLAGS", flags)[0] == "OK"
    assert client.uid("COPY", "1:4", "Archive/2026")[0] == "OK"
    assert client.uid("MOVE", "10:12", "Team")[0] == "OK"
    assert client.uid("EXPUNGE", "6,8")[0] == "OK"
    assert client.uid("COPY", "3", '"Entw&APw-rfe und mehr"')[0] == "OK"
    client.close()
    assert client.setacl("Team", friend, "lrswite")[0] == "OK"
    assert client._simple_command("SETMETADATA", "Team", '(/private/comment "for the team")')[0] == "OK"
    client.logout()
    for number in range(30, 34):
        stack.receive(f"writer{number}@remote.test", [you, friend], _message(number))
    for number in range(40, 43):
        stack.submit(you, [f"someone{number}@remote.test"], 
                     _message(number).replace(f"writer{number}@remote.test".encode(), you.encode()))
    stack.cli("queue", "hold", "someone41@remote.test")


def listing(stack):
    """What clients and the administrator see of it, as JSON: the same in every later version."""
    found = {"accounts": {}, "aliases": stack.json("alias", "list")}
    for person in PEOPLE:
        shown = stack.json("account", "show", person)
        account = {key: shown[key] for key in ("id", "name", "quota", "quota_messages", "aliases", "shares_with", "shared_by",
                                               "hidden_capabilities", "created")}
        account["mailboxes"] = _mailboxes(stack.imap_login(person))
        found["accounts"][person] = account
    # Attempts are made meanwhile: they, and replies, are left out.
    found["queue"] = [{key: entry[key] for key in ("id", "sender", "recipients", "received", "size")} |
                      {"held": entry["next"] == "held"} for entry in stack.json("queue", "list")]
    return found


def _mailboxes(client):
    mailboxes = {}
    client._simple_command("GETMETADATA", "Team", "(/private/comment)")
    comment = client._untagged_response("OK", [None], "METADATA")[1]
    subscribed = {re.search(rb'"/" (.*)$', line)[1].decode() for line in client.lsub()[1] if line}
    for line in client.list()[1]:
        name = re.search(rb'"/" (.*)$', line)[1].decode()
        if client.select(name, readonly=True)[0] != "OK":
            continue
        status = client.status(name, "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN)")[1][0].decode()
        messages = []
        if not status.split("MESSAGES ")[1].startswith("0"):
            for data in client.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")[1]:
                if not isinstance(data, tuple):
                    continue
                head = data[0].decode()
                # \\Recent means a session, and is not kept.
                flags = sorted(set(re.search(r"FLAGS \(([^)]*)\)", head)[1].split()) - {"\\Recent"})
                messages.append([int(re.search(r"UID (\d+)", head)[1]), flags, re.search(r'INTERNALDATE "([^"]*)"', head)[1],
                                 hashlib.sha256(data[1]).hexdigest()])
        mailboxes[name] = {"status": re.search(r"\(.*\)", status)[0], "subscribed": name in subscribed,
                           "messages": sorted(messages)}
    client.logout()
    if '"Team"' in mailboxes:
        mailboxes['"Team"']["comment"] = repr(comment)
    return mailboxes


def _archive(stack, name, to):
    # What lies in run/ are sockets. Journal segments are zeros for the most part.
    subprocess.run(["tar", "--create", "--sparse", "--xz", "--owner=0", "--group=0", "--exclude=data/run/*",
                    "-C", str(stack.folder),
                    "-f", str(to / f"{name}.tar.xz"), "data"], check=True)


def _make(folder, to):
    from lab.mailstead import Mailstead
    for name in ("stopped", "killed"):
        stack = Mailstead(folder / name, address=PEOPLE[0])
        stack.configure("dns", servers=["127.0.0.1:9"])  # nobody there: what goes out waits
        stack.start()
        fill(stack)
        seen = listing(stack)
        if name == "stopped":
            stack.stop()
        else:
            os.kill(stack.daemon.process.pid, signal.SIGSTOP)  # it would start them again
            pid = stack.daemon.process.pid
            for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
                os.kill(int(child), signal.SIGKILL)
            os.kill(stack.daemon.process.pid, signal.SIGKILL)
            stack.daemon.process.wait()
        (to / f"{name}.json").write_text(json.dumps(seen, indent=1, sort_keys=True) + "\n")
        _archive(stack, name, to)


if __name__ == "__main__":
    os.environ["MAILSTEAD_BIN"] = sys.argv[1]
    sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    imaplib._MAXLINE = 10_000_000
    with tempfile.TemporaryDirectory() as temporary:
        _make(pathlib.Path(temporary), pathlib.Path(sys.argv[2]))
