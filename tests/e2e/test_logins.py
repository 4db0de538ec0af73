"""Logins under attack, and sessions that end when their login is revoked."""

import base64
import contextlib
import os
import signal
import socket
import ssl
import threading
import time

import pytest

from lab.mailstead import PASSWORD

# Without the guard it was twenty. What a login takes meanwhile on a machine of its own is in docs/administration.md.
PATIENCE = 8.0  # seconds, on a machine that has more to do


class Connection:
    """A client by hand, from an address of its own."""

    def __init__(self, stack, port, address="127.0.0.1"):
        plain = socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(address, 0))
        self.socket = stack.tls().wrap_socket(plain, server_hostname="localhost")
        self.file = self.socket.makefile("rb")

    def send(self, text):
        self.socket.sendall(text.encode() + b"\r\n")

    def line(self):
        return self.file.readline().decode()

    def until(self, start):
        """The lines up to one that begins so."""
        lines = [self.line()]
        while lines[-1] and not lines[-1].startswith(start):
            lines.append(self.line())
        assert lines[-1], f"no {start!r} in {lines}"
        return lines

    def close(self):
        self.file.close()
        self.socket.close()


def plain(login, password):
    return base64.b64encode(f"\0{login}\0{password}".encode()).decode()


def imap_login(stack, login, password, address="127.0.0.1"):
    """The tagged answer and how long it took from the command on."""
    connection = Connection(stack, stack.imaps, address)
    connection.line()
    begun = time.monotonic()
    connection.send(f"a AUTHENTICATE PLAIN {plain(login, password)}")
    answer = connection.until("a ")[-1]
    taken = time.monotonic() - begun
    connection.close()
    return answer, taken


class Flood:
    """Clients that show a wrong password and hang up, over and over, until the block ends."""

    def __init__(self, stack, addresses, login, hold=0.0):
        self.stack, self.addresses, self.login, self.hold = stack, addresses, login, hold
        self.over = threading.Event()
        self.attempts = 0
        self.begun = threading.Semaphore(0)

    def run(self, address):
        number = 0
        while not self.over.is_set():
            with contextlib.suppress(OSError, ssl.SSLError, AssertionError):
                connection = Connection(self.stack, self.stack.imaps, address)
                connection.line()
                number += 1
                connection.send(f"a AUTHENTICATE PLAIN {plain(self.login, f'wrong {address} {number}')}")
                self.attempts += 1
                self.begun.release()
                self.over.wait(self.hold)
                connection.close()

    def __enter__(self):
        self.threads = [threading.Thread(target=self.run, args=(address,)) for address in self.addresses]
        for thread in self.threads:
            thread.start()
        for _ in range(2 * len(self.threads)):  # in full swing
            assert self.begun.acquire(timeout=60)
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()


@pytest.fixture(scope="module")
def stack(folder):
    from lab.mailstead import Mailstead
    own = Mailstead(folder / "logins", shift=6000)
    own.add_account("friend@example.test")
    own.start()
    yield own
    own.stop()


FLOODS = {
    "one address that hangs up": (["127.0.0.66"] * 16, "nobody@example.test"),
    "one address on the owner's name": (["127.0.0.67"] * 16, None),
    "many addresses of one network": ([f"127.0.9.{i}" for i in range(1, 17)], "nobody@example.test"),
    "many networks on the owner's name": ([f"127.0.{i}.1" for i in range(20, 36)], None),
}


def owners(stack, name):
    """Accounts whose mailboxes are there, and whose passwords nobody remembers to have seen."""
    made = [stack.add_account(f"owner{list(FLOODS).index(name)}{i}@example.test", "an old one") for i in range(3)]
    for owner in made:
        assert imap_login(stack, owner, "an old one", "127.0.100.5")[0].startswith("a OK")
        stack.cli("account", "passwd", owner, "--password-stdin", stdin=PASSWORD + "\n")
    return made


@pytest.mark.parametrize("name", FLOODS)
def test_a_flood_of_logins_keeps_nobody_out(stack, name):
    addresses, login = FLOODS[name]
    people = owners(stack, name)
    with Flood(stack, addresses, login or people[0]) as flood:
        times = []
        for number, owner in enumerate(people):  # from where they never were
            answer, taken = imap_login(stack, owner, PASSWORD, f"127.0.{101 + number}.5")
            assert answer.startswith("a OK"), answer
            times.append(taken)
    print(f"\n{name}: {flood.attempts} attempts; the owners' logins took {', '.join(f'{t:.3f}' for t in times)} s")
    assert max(times) < PATIENCE


def test_work_for_clients_that_are_gone_is_dropped(stack):
    with Flood(stack, ["127.0.0.68"] * 16, "ghost@example.test") as flood:
        for _ in range(64):
            assert flood.begun.acquire(timeout=60)
    # Whoever comes last from there finds no queue but the pauses that a guesser has earned.
    answer, taken = imap_login(stack, stack.address, PASSWORD, "127.0.0.99")
    assert answer.startswith("a OK") and taken < PATIENCE
    assert "login.abandoned" in stack.log()


def test_a_guesser_hears_that_he_comes_too_often_and_the_owner_does_not(stack):
    answers = [imap_login(stack, "friend@example.test", "wrong", "127.0.0.70")[0] for _ in range(4)]
    assert all("[AUTHENTICATIONFAILED]" in answer for answer in answers)
    waiting = []
    for _ in range(24):
        connection = Connection(stack, stack.imaps, "127.0.0.70")
        connection.line()
        connection.send(f"a AUTHENTICATE PLAIN {plain('friend@example.test', 'wrong')}")
        waiting.append(connection)
    heard = [connection.until("a ")[-1] for connection in waiting]
    for connection in waiting:
        connection.close()
    assert any("[UNAVAILABLE]" in answer for answer in heard), heard
    answer, taken = imap_login(stack, "friend@example.test", PASSWORD, "127.0.0.71")
    assert answer.startswith("a OK") and taken < PATIENCE


# ---- what ends a session

def open_sessions(stack, user, password):
    """One of each protocol: IMAP in IDLE, POP3, submission."""
    imap = Connection(stack, stack.imaps)
    imap.line()
    imap.send('i ID ("name" "Tester" "version" "7")')
    imap.until("i OK")
    imap.send(f"a AUTHENTICATE PLAIN {plain(user, password)}")
    imap.until("a OK")
    imap.send("b SELECT INBOX")
    imap.until("b OK")
    imap.send("c IDLE")
    imap.until("+ ")
    pop3 = Connection(stack, stack.pop3s)
    pop3.line()
    pop3.send(f"AUTH PLAIN {plain(user, password)}")
    assert pop3.line().startswith("+OK")
    smtp = Connection(stack, stack.submissions)
    smtp.line()
    smtp.send("EHLO tester.test")
    smtp.until("250 ")
    smtp.send(f"AUTH PLAIN {plain(user, password)}")
    assert smtp.line().startswith("235 ")
    smtp.send(f"MAIL FROM:<{user}>")
    assert smtp.line().startswith("250 ")
    return imap, pop3, smtp


def assert_ended(sessions, why):
    imap, pop3, smtp = sessions
    assert imap.line() == f"* BYE {why}\r\n" and imap.line() == ""
    assert pop3.line().startswith("-ERR [") and pop3.line() == ""
    assert smtp.line() == f"421 4.7.0 {why}\r\n" and smtp.line() == ""
    for session in sessions:
        session.close()


def assert_alive(sessions):
    imap, pop3, smtp = sessions
    imap.send("DONE")
    imap.until("c OK")
    pop3.send("NOOP")
    assert pop3.line().startswith("+OK")
    smtp.send("RSET")
    assert smtp.line().startswith("250 ")
    for session in sessions:
        session.close()


REVOKED = "The password of this session is not valid any more"


def test_a_new_password_ends_the_sessions_of_the_old_one(stack):
    user = stack.add_account("passwd@example.test")
    phone = stack.cli("account", "app-password", user, "add", "phone").out.strip()
    with_password, with_phone = open_sessions(stack, user, PASSWORD), open_sessions(stack, user, phone)
    out = stack.cli("account", "passwd", user, "--password-stdin", stdin="another one\n").out
    assert "Sessions ended: 3" in out
    assert_ended(with_password, REVOKED)
    assert_alive(with_phone)
    assert "AUTHENTICATIONFAILED" in imap_login(stack, user, PASSWORD)[0], "not even from memory"


def test_a_removed_app_password_ends_its_own_sessions_alone(stack):
    user = stack.add_account("apps@example.test")
    phone = stack.cli("account", "app-password", user, "add", "phone").out.strip()
    with_password, with_phone = open_sessions(stack, user, PASSWORD), open_sessions(stack, user, phone)
    assert "Sessions ended: 3" in stack.cli("account", "app-password", user, "remove", "phone").out
    assert_ended(with_phone, REVOKED)
    assert_alive(with_password)


def test_a_lock_ends_all_sessions(stack):
    user = stack.add_account("locked@example.test")
    phone = stack.cli("account", "app-password", user, "add", "phone").out.strip()
    with_password, with_phone = open_sessions(stack, user, PASSWORD), open_sessions(stack, user, phone)
    assert "Sessions ended: 6" in stack.cli("account", "set", user, "--lock").out
    assert_ended(with_password, "The account is locked")
    assert_ended(with_phone, "The account is locked")


def test_a_removal_ends_all_sessions_and_nothing_brings_the_account_back(stack):
    user = stack.add_account("leaver@example.test")
    number = next(account["id"] for account in stack.json("account", "list") if account["address"] == user)
    folder = stack.folder / "data" / "accounts" / str(number)
    sessions = open_sessions(stack, user, PASSWORD)
    appending = Connection(stack, stack.imaps)
    appending.line()
    appending.send(f"a AUTHENTICATE PLAIN {plain(user, PASSWORD)}")
    appending.until("a OK")
    appending.send("b APPEND INBOX {40}")
    appending.until("+ ")
    there = sorted(path for path in folder.rglob("*")) if folder.exists() else []
    assert "Sessions ended: 4" in stack.cli("account", "remove", user).out
    assert_ended(sessions, "The account is no more")
    left = sorted(path for path in folder.rglob("*")) if folder.exists() else []
    with contextlib.suppress(OSError, ssl.SSLError):
        appending.send("Subject: a message\r\n\r\n" + "x" * 18)
    assert "* BYE" in appending.line()
    appending.close()
    after = sorted(path for path in folder.rglob("*")) if folder.exists() else []
    assert [path for path in after if path not in left] == [] and len(left) <= len(there)


def test_what_was_revoked_while_deliver_was_away_ends_when_it_is_back(own_stack):
    stack = own_stack()
    stack.start()
    sessions = open_sessions(stack, stack.address, PASSWORD)
    supervisor = stack.daemon.process.pid
    os.kill(supervisor, signal.SIGSTOP)  # nobody restarts deliver until the password is changed
    try:
        os.kill(stack.daemon.child("deliver"), signal.SIGKILL)
        stack.cli("account", "passwd", stack.address, "--password-stdin", stdin="another one\n")
    finally:
        os.kill(supervisor, signal.SIGCONT)
    assert_ended(sessions, REVOKED)


# ---- who and kick

def test_who_shows_what_a_session_is_and_does(stack):
    user = stack.add_account("who@example.test")
    phone = stack.cli("account", "app-password", user, "add", "phone").out.strip()
    assert stack.json("who", user) == []
    sessions = open_sessions(stack, user, phone)
    listed = {session["protocol"]: session for session in stack.json("who", user)}
    assert sorted(listed) == ["imap", "pop3", "submission"]
    for session in listed.values():
        assert session["account"] == user
        assert session["credential"] == "app password phone"
        assert session["address"].startswith("127.0.0.1:")
        assert session["tls"].startswith("TLSv1.")
        assert session["since"] <= session["last_time"]
    assert listed["imap"]["client"] == "Tester 7"
    assert listed["imap"]["mailbox"] == "INBOX" and listed["imap"]["last_command"] == "IDLE"
    assert listed["submission"]["client"] == "tester.test" and listed["submission"]["last_command"] == "MAIL"
    assert user in stack.cli("who").out
    assert_alive(sessions)
    assert stack.cli("who", "stranger@example.test", check=False).returncode == 67


def test_kick_ends_sessions_that_may_come_back(stack):
    user = stack.add_account("kicked@example.test")
    why = "The administrator ended the session"
    sessions = open_sessions(stack, user, PASSWORD)
    assert "Sessions ended: 3" in stack.cli("kick", user).out
    assert_ended(sessions, why)

    imap, pop3, smtp = open_sessions(stack, user, PASSWORD)
    number = next(session["session"] for session in stack.json("who", user) if session["protocol"] == "imap")
    assert "Sessions ended: 1" in stack.cli("kick", number).out
    assert imap.line() == f"* BYE {why}\r\n"
    assert "Sessions ended: 2" in stack.cli("kick", user).out
    assert stack.cli("kick", "i999999", check=False).returncode == 65
    assert stack.cli("kick", check=False).returncode == 64

    elsewhere = Connection(stack, stack.imaps, "127.0.77.1")
    elsewhere.line()
    elsewhere.send(f"a AUTHENTICATE PLAIN {plain(user, PASSWORD)}")
    elsewhere.until("a OK")
    assert "Sessions ended: 1" in stack.cli("kick", "--address", "127.0.77.1").out
    assert elsewhere.line() == f"* BYE {why}\r\n"
    for session in (imap, pop3, smtp, elsewhere):
        session.close()
