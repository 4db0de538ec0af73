"""Two people, the real daemons: a mailbox is shared, used, taken away, and stays shared over a crash."""

import imaplib
import os
import re
import signal

from lab.process import wait_until
from test_faults import deliver_pid

SHARED = '"Other Users/owner@example.test/Team"'


def message(subject):
    return f"From: owner@example.test\r\nSubject: {subject}\r\n\r\nbody of {subject}\r\n".encode()


def test_a_shared_mailbox_is_found_used_and_taken_away(mailstead):
    owner = mailstead.add_account("owner@example.test")
    guest = mailstead.add_account("guest@example.test")
    one, two = mailstead.imap_login(owner), mailstead.imap_login(guest)
    assert one.create("Team")[0] == "OK"
    for subject in ("first", "second"):
        assert one.append("Team", None, None, message(subject))[0] == "OK"
    assert two.select(SHARED)[0] == "NO"
    assert one.setacl("Team", guest, "lrswite")[0] == "OK"
    assert mailstead.json("account", "show", owner)["shares_with"] == [guest]
    assert mailstead.json("account", "show", guest)["shared_by"] == [owner]

    # What is shared is listed, and can be read, marked, filed.
    listed = [line for line in two.list()[1] if b"Other Users" in line]
    assert listed == [b'(\\HasNoChildren) "/" ' + SHARED.encode()]
    assert two.select(SHARED)[1] == [b"2"]
    assert b"body of second" in two.fetch("2", "(BODY[])")[1][0][1]
    assert two.copy("1", "INBOX")[0] == "OK"
    assert two.append(SHARED, None, None, message("third"))[0] == "OK"
    assert two.noop()[0] == "OK" and two.response("EXISTS")[1][-1] == b"3"
    status, data = two._simple_command("MOVE", "2", "INBOX")
    assert status == "OK"
    assert two.select("INBOX")[1] == [b"2"]
    bodies = [part[1] for part in two.fetch("1:2", "(BODY[])")[1] if isinstance(part, tuple)]
    assert re.search(b"body of first", bodies[0]) and re.search(b"body of second", bodies[1])
    assert one.select("Team")[1] == [b"2"]

    # Taken away: gone with the next command, also from the list.
    assert two.select(SHARED)[0] == "OK"
    assert one.deleteacl("Team", guest)[0] == "OK"
    wait_until(lambda: mailstead.json("account", "show", owner)["shares_with"] == [],
               "the pair to be dropped")
    try:
        status = two.noop()[0]
    except two.abort:
        status = "BYE"
    assert status == "BYE"
    three = mailstead.imap_login(guest)
    assert three.select(SHARED)[0] == "NO"
    assert not [line for line in three.list()[1] if b"Other Users" in line]
    one.logout()
    three.logout()


def test_notify_tells_of_a_shared_mailbox_as_long_as_it_is_shared(mailstead):
    owner = mailstead.add_account("notify-owner@example.test")
    guest = mailstead.add_account("notify-guest@example.test")
    one, two = mailstead.imap_login(owner), mailstead.imap_login(guest)
    shared = f'"Other Users/{owner}/INBOX"'.encode()
    two.send(b"n NOTIFY SET (mailboxes " + shared + b" (MessageNew MessageExpunge MailboxName))\r\n")
    assert two.readline().startswith(b"n OK")
    assert one.setacl("INBOX", guest, "lr")[0] == "OK"
    assert two.readline() == b'* LIST (\\HasNoChildren) "/" ' + shared + b"\r\n"
    mailstead.receive("a@remote.test", [owner], "From: a@remote.test\r\nSubject: news\r\n\r\nx\r\n")
    assert two.readline().startswith(b"* STATUS " + shared + b" (MESSAGES 1 UIDNEXT 2 ")
    assert one.deleteacl("INBOX", guest)[0] == "OK"
    assert two.readline() == b'* LIST (\\NonExistent \\HasNoChildren) "/" ' + shared + b"\r\n"
    assert one.append("INBOX", None, None, message("unheard"))[0] == "OK"
    two.send(b"o NOOP\r\n")
    assert two.readline().startswith(b"o OK")
    one.logout()
    two.logout()


def test_idle_in_a_shared_mailbox_hears_of_new_messages(mailstead):
    owner = mailstead.add_account("idle-owner@example.test")
    guest = mailstead.add_account("idle-guest@example.test")
    one, two = mailstead.imap_login(owner), mailstead.imap_login(guest)
    assert one.setacl("INBOX", guest, "lr")[0] == "OK"
    assert two.select(f'"Other Users/{owner}/INBOX"', readonly=True)[0] == "OK"
    two.send(b"i IDLE\r\n")
    assert two.readline().startswith(b"+")
    mailstead.receive("a@remote.test", [owner], "From: a@remote.test\r\nSubject: news\r\n\r\nx\r\n")
    assert two.readline() == b"* 1 EXISTS\r\n"
    one.logout()


def test_access_lists_survive_the_death_of_the_writer(mailstead):
    owner = mailstead.add_account("crash-owner@example.test")
    guest = mailstead.add_account("crash-guest@example.test")
    one = mailstead.imap_login(owner)
    assert one.setacl("INBOX", guest, "lrs")[0] == "OK"
    pid = deliver_pid(mailstead)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: deliver_pid(mailstead) not in (None, pid), "serve to restart deliver")

    def back():
        try:
            client = mailstead.imap_login(guest)
        except imaplib.IMAP4.error as error:  # the new deliver is not ready yet
            assert "UNAVAILABLE" in str(error)
            return False
        answer = client.myrights(f'"Other Users/{owner}/INBOX"')
        client.logout()
        return answer[0] == "OK" and b"lrs" in answer[1][0]

    wait_until(back, "the shared mailbox")
    assert mailstead.json("account", "show", guest)["shared_by"] == [owner]
