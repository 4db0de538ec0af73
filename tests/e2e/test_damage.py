"""Damage to every kind of file below data/: the others go on, and what was damaged comes back whole."""

import imaplib
import json
import os
import poplib
import re
import shutil
import smtplib
import socket

import pytest

from lab.mailstead import PASSWORD
from lab.process import wait_until

TEXT = "From: a@remote.test\r\nSubject: {0}\r\n\r\nThis is {0}.\r\n"


# ---- what may happen to a file

def cut_short(path):
    os.truncate(path, max(path.stat().st_size // 2 // 4096, 2) * 4096)


def emptied(path):
    os.truncate(path, 0)


def zeroed(path):
    with open(path, "r+b") as file:
        file.write(bytes(path.stat().st_size))


def deleted(path):
    path.unlink()


def scrambled(path):
    with open(path, "r+b") as file:
        file.write(os.urandom(path.stat().st_size))


def appended_to(path):
    with open(path, "ab") as file:
        file.write(os.urandom(8192))


DAMAGES = [cut_short, emptied, zeroed, deleted, scrambled, appended_to]


# ---- helpers

def mailbox(stack, user, name="INBOX"):
    """UIDVALIDITY, and UID, flags, date and text of each message."""
    client = stack.imap_login(user)
    try:
        assert client.select(name, readonly=True)[0] == "OK"
        validity = client.response("UIDVALIDITY")[1][0]
        found = {}
        for item in client.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]:
            if not isinstance(item, tuple):
                continue
            uid = int(re.search(rb"UID (\d+)", item[0])[1])
            flags = frozenset(re.search(rb"FLAGS \(([^)]*)\)", item[0])[1].split()) - {b"\\Recent"}
            date = re.search(rb'INTERNALDATE "([^"]*)"', item[0])[1]
            found[uid] = (flags, date, item[1])
        return validity, found
    finally:
        client.logout()


def try_mailbox(stack, user, name="INBOX"):
    """The same, or None while the account is being repaired. No other answer is allowed."""
    try:
        return mailbox(stack, user, name)
    except (imaplib.IMAP4.error, OSError) as error:
        # A connection that breaks is a daemon that is being started anew.
        if isinstance(error, (OSError, imaplib.IMAP4.abort)):
            return None
        text = str(error)
        assert "repaired" in text or "UNAVAILABLE" in text or "try again" in text, text
        assert "lmdb" not in text.lower() and "/" not in text.replace("b'", ""), text
        return None


def receives(stack, address, subject):
    """Whether a stranger's mail is taken. What he hears otherwise names no path and no library."""
    try:
        stack.receive("a@remote.test", [address], TEXT.format(subject))
        return True
    except smtplib.SMTPResponseException as error:
        text = str(error.smtp_error)
        assert 400 <= error.smtp_code < 500 and "lmdb" not in text and "/" not in text, error
        return False
    except smtplib.SMTPRecipientsRefused as error:
        (code, text), = error.recipients.values()
        assert 400 <= code < 500 and b"lmdb" not in text and b"/" not in text, error
        return False
    except (smtplib.SMTPException, OSError):
        return False


def wait_for_mail(stack, user, subject):
    def found():
        state = try_mailbox(stack, user)
        return state and any(subject.encode() in text for _, _, text in state[1].values())
    wait_until(found, f"{subject!r} for {user}", interval=0.2, deadline=60)


def fill(stack, user):
    """A few messages with flags and keywords, one expunged, and a second mailbox."""
    for number in range(5):
        stack.receive("a@remote.test", [user], TEXT.format(f"{user} {number}"))
    client = stack.imap_login(user)
    client.select("INBOX")
    client.store("1", "+FLAGS", "(\\Seen \\Flagged work)")
    client.store("2", "+FLAGS", "(\\Answered)")
    client.store("3", "+FLAGS", "(\\Deleted)")
    client.expunge()
    client.create("Projects")
    client.copy("1", "Projects")
    client.logout()


def repairs(stack):
    """What is under repair; a deliver that is being started anew counts as that."""
    deliver = json.loads(stack.cli("status", "--format", "json", check=False).out)["deliver"]
    return deliver["repairs"] if deliver["running"] else ["deliver"]


def number_of(stack, user):
    return next(account["id"] for account in stack.json("account", "list") if account["address"] == user)


def settle(stack):
    """Until the list beside the Maildir is written: after it, the account can be made anew whole."""
    accounts = stack.folder / "data/accounts"
    wait_until(lambda: all(list(account.glob("**/mailboxes")) for account in accounts.iterdir()),
               "the lists beside the Maildirs")


@pytest.fixture
def victims(own_stack):
    """A stack with an account for each damage, and one that nothing happens to."""
    stack = own_stack().start()
    users = {damage: stack.add_account(f"{damage.__name__.replace('_', '-')}@example.test") for damage in DAMAGES}
    for user in users.values():
        fill(stack, user)
    fill(stack, stack.address)
    settle(stack)
    return stack, users


# ---- accounts

def check_all_back(stack, users, before):
    for user in users:
        for name in ("INBOX", "Projects"):
            state = wait_until(lambda user=user, name=name: try_mailbox(stack, user, name), f"{name} of {user}",
                               interval=0.2, deadline=60)
            validity, messages = before[user, name]
            assert state[0] == validity, f"UIDVALIDITY of {name} of {user}"
            assert {uid: state[1].get(uid) for uid in messages} == messages, f"{name} of {user}"
    wait_until(lambda: not repairs(stack), "nothing to be under repair", interval=0.2)


def remember(stack, users):
    return {(user, name): mailbox(stack, user, name) for user in users for name in ("INBOX", "Projects")}


def test_damaged_indexes_found_at_start_come_back_whole_while_others_go_on(victims):
    stack, users = victims
    before = remember(stack, users.values())
    numbers = {user: number_of(stack, user) for user in users.values()}
    stack.stop()
    for damage, user in users.items():
        damage(stack.folder / f"data/accounts/{numbers[user]}/index/data.mdb")
    stack.start()
    assert receives(stack, stack.address, "unharmed")
    stack.wait_for_message(subject="unharmed")
    for user in users.values():
        assert receives(stack, user, "meanwhile"), f"mail for {user} must be taken during its repair"
    check_all_back(stack, users.values(), before)
    for user in users.values():
        wait_for_mail(stack, user, "meanwhile")
    log = stack.log()
    assert "repair.begins" in log and "repair.done" in log


def test_damaged_indexes_met_while_running_come_back_whole_while_others_go_on(victims):
    stack, users = victims
    before = remember(stack, users.values())
    for damage, user in users.items():
        damage(stack.folder / f"data/accounts/{number_of(stack, user)}/index/data.mdb")
        wait_until(lambda user=user: receives(stack, user, "meanwhile"), f"mail for {user} to be taken", interval=0.2)
        wait_until(lambda: receives(stack, stack.address, "unharmed"), "others' mail to be taken", interval=0.2)
    wait_for_mail(stack, stack.address, "unharmed")
    check_all_back(stack, users.values(), before)
    for user in users.values():
        wait_for_mail(stack, user, "meanwhile")


def test_an_index_without_its_lock_file_is_opened_by_deliver(own_stack):
    stack = own_stack().start()
    fill(stack, stack.address)
    before = mailbox(stack, stack.address)
    stack.stop()
    for lock in (stack.folder / "data").glob("**/lock.mdb"):
        lock.unlink()
    stack.start()
    assert mailbox(stack, stack.address) == before
    assert receives(stack, stack.address, "after")
    stack.wait_for_message(subject="after")


def test_damaged_lists_beside_the_maildir_are_written_anew(own_stack):
    stack = own_stack().start()
    fill(stack, stack.address)
    settle(stack)
    before = mailbox(stack, stack.address)
    for damage in DAMAGES:
        for path in (stack.folder / "data/accounts").glob("*/sidecar/*"):
            damage(path)
        assert mailbox(stack, stack.address) == before
        client = stack.imap_login()
        client.select("INBOX")
        client.store("1", "+FLAGS", f"({damage.__name__})")
        client.store("1", "-FLAGS", f"({damage.__name__})")
        client.logout()
        settle(stack)
    assert mailbox(stack, stack.address) == before


# ---- the rest

def queued(stack):
    """The recipients that wait; None while the queue is being repaired."""
    listed = stack.cli("queue", "list", "--format", "json", check=False)
    if listed.returncode != 0:
        assert "damaged" in listed.err or "cannot be read" in listed.err, listed.err
        return None
    return sorted(recipient for entry in json.loads(listed.out) for recipient in entry["recipients"])


def environments(stack):
    data = stack.folder / "data"
    return {name: data / name / "data.mdb" for name in ("queue", "ledger", "shares", "directory", "credentials")}


def shared_with(stack, user):
    client = stack.imap_login(user)
    lines = client.list('""', '"Other Users*"')[1]
    client.logout()
    return [line for line in lines if line and b"Projects" in line]


def unless_restarting(question):
    """The answer, or None from a daemon that is being started anew."""
    try:
        return question()
    except (imaplib.IMAP4.error, OSError):
        return None


def everything_else_works(stack, friend, waiting):
    """What a damaged queue, ledger, directory, ... must not take away."""
    wait_until(lambda: receives(stack, stack.address, "still here"), "mail to be taken", interval=0.2)
    stack.wait_for_message(subject="still here")
    wait_until(lambda: unless_restarting(lambda: mailbox(stack, friend)), "the other account to log in", interval=0.2)
    wait_until(lambda: not repairs(stack), "nothing to be under repair", interval=0.2)
    wait_until(lambda: queued(stack) == waiting, "the queue to be whole", interval=0.2)
    wait_until(lambda: unless_restarting(lambda: shared_with(stack, friend)), "what is shared", interval=0.2)


@pytest.fixture
def whole(own_stack):
    stack = own_stack()
    stack.configure("dns", servers=["127.0.0.1:9"])  # so that mail to others waits
    friend = stack.add_account("friend@example.test")
    stack.start()
    fill(stack, stack.address)
    client = stack.imap_login()
    assert client.setacl("Projects", friend, "lr")[0] == "OK"
    client.logout()
    stack.submit(stack.address, ["x@unreachable.test"], "From: you@example.test\r\nSubject: q\r\n\r\nx\r\n")
    return stack, friend


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_queue_ledger_directory_and_shares_found_at_start_are_whole_again(whole, damage):
    stack, friend = whole
    waiting = wait_until(lambda: queued(stack), "the queued message")
    stack.stop()
    for path in environments(stack).values():
        damage(path)
    for path in (stack.folder / "data/accounts").glob("*/fulltext/*"):
        damage(path)
    shutil.rmtree(stack.folder / "data/run")
    stack.start()
    everything_else_works(stack, friend, waiting)


def test_a_damaged_queue_ledger_and_shares_met_while_running_are_whole_again(whole):
    stack, friend = whole
    waiting = wait_until(lambda: queued(stack), "the queued message")
    for name in ("ledger", "shares", "queue"):
        for damage in (cut_short, zeroed, deleted):
            damage(environments(stack)[name])
            stack_takes_changes(stack)
            everything_else_works(stack, friend, waiting)


def stack_takes_changes(stack):
    """Something that touches queue, ledger and shares."""
    def touches():
        try:
            stack.submit(stack.address, ["friend@example.test"], "From: you@example.test\r\nSubject: t\r\n\r\nx\r\n")
            return True
        except (smtplib.SMTPException, OSError):
            return False
    wait_until(touches, "submissions to be taken", interval=0.2)


def test_a_queued_message_whose_file_is_lost_is_reported_to_its_sender(whole):
    stack, _ = whole
    entry = wait_until(lambda: stack.json("queue", "list"), "the queued message")[0]
    (stack.folder / f"data/spool/queue-{entry['id']}").unlink()
    stack.cli("queue", "retry", "all")
    report = stack.wait_for_message(subject="could not be delivered")
    assert "x@unreachable.test" in report.raw.decode(errors="replace")
    wait_until(lambda: not stack.json("queue", "list"), "the entry to go")


# ---- bodies

def fetched_raw(stack, what):
    """All that the server says to a FETCH, as it is."""
    plain = socket.create_connection(("127.0.0.1", stack.imaps), timeout=30)
    with stack.tls().wrap_socket(plain, server_hostname="localhost") as client, client.makefile("rwb") as stream:
        stream.readline()
        said = b""
        for tag, command in ((b"a", f'LOGIN {stack.address} "{PASSWORD}"'), (b"b", "SELECT INBOX"), (b"c", f"FETCH {what}")):
            stream.write(tag + b" " + command.encode() + b"\r\n")
            stream.flush()
            said = b""
            while not said.split(b"\r\n")[-2:][0].startswith(tag + b" "):
                line = stream.readline()
                assert line, said
                said += line
    return said

def test_a_lost_body_is_said_aloud_and_the_other_messages_are_answered(own_stack):
    stack = own_stack().start()
    for number in range(3):
        stack.receive("a@remote.test", [stack.address], TEXT.format(f"body {number}"))
    client = stack.imap_login()
    client.select("INBOX")
    wait_until(lambda: client.search(None, "ALL")[1][0].split() == [b"1", b"2", b"3"] or client.noop() is None,
               "three messages")
    file, = (path for path in (stack.folder / "data/accounts").glob("*/mail/*/*")
             if path.is_file() and b"body 1" in path.read_bytes())
    os.truncate(file, 0)
    kind, answer = client.fetch("1:3", "(UID ENVELOPE BODY.PEEK[])")
    assert kind == "NO" and b"CORRUPTION" in answer[-1] and b"2" in answer[-1], answer
    client.logout()
    text = fetched_raw(stack, "1:3 (ENVELOPE BODY.PEEK[])")
    assert text.count(b"ENVELOPE") == 3, "what the index knows is told of all three"
    assert text.count(b"BODY[] {") == 2 and b"BODY[] NIL" not in text and b'BODY[] ""' not in text, text
    pop = stack.pop3_login()
    with pytest.raises(poplib.error_proto) as refused:
        pop.retr(2)
    assert "SYS/PERM" in str(refused.value)
    assert pop.retr(3)[0].startswith(b"+OK")
    pop.quit()
    assert wait_until(lambda: stack.json("status")["deliver"]["lost_messages"], "the count in status") == 1
    assert stack.log().count("imap.message.lost") == 1, "each message is told of once"
