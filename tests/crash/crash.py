"""Kills daemons with SIGKILL under load, deliver also while it recovers, with imapd alive and reading; then counts: every message
that was answered 250 or OK is there exactly once, and no UID ever named two messages."""

import argparse
import collections
import os
import pathlib
import random
import re
import signal
import smtplib
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "e2e"))

from lab.mailstead import PASSWORD, Mailstead  # noqa: E402
from lab.process import run, wait_until  # noqa: E402

ACCOUNTS = [f"u{i}@example.test" for i in range(4)]
DAEMONS = ("deliver", "smtpd", "imapd")


class Books:
    """What was acknowledged, and which message each UID was seen to name."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged = collections.defaultdict(set)  # account -> ids
        self.uids = {}  # (account, uidvalidity, uid) -> id
        self.reused = []

    def accepted(self, account, identity):
        with self.lock:
            self.acknowledged[account].add(identity)

    def seen(self, account, validity, uid, identity):
        with self.lock:
            before = self.uids.setdefault((account, validity, uid), identity)
            if before != identity:
                self.reused.append((account, uid, before, identity))

    def total(self):
        return sum(len(ids) for ids in self.acknowledged.values())


def text(identity, size):
    return f"From: load@remote.test\r\nSubject: crash {identity}\r\nX-Id: {identity}\r\n\r\n" + ("x" * 70 + "\r\n") * size


def send_mail(stack, books, stop, worker, seed):
    """An SMTP client that goes on whatever happens, with a new message after every failure."""
    chance = random.Random(seed)
    number = 0
    while not stop.is_set():
        try:
            with smtplib.SMTP(stack.host, stack.smtp, local_hostname="load.test", timeout=10) as client:
                for _ in range(50):
                    if stop.is_set():
                        return
                    number += 1
                    identity = f"s{worker}-{number}"
                    recipients = chance.sample(ACCOUNTS, chance.choice((1, 1, 3)))
                    if not client.sendmail("load@remote.test", recipients, text(identity, chance.choice((1, 20, 400)))):
                        for recipient in recipients:
                            books.accepted(recipient, identity)
        except (OSError, smtplib.SMTPException):
            time.sleep(0.01)


def append_mail(stack, books, stop, worker, seed):
    """An IMAP client that appends, flags, and notes which UID it was told."""
    chance = random.Random(seed)
    number = 0
    while not stop.is_set():
        account = chance.choice(ACCOUNTS)
        try:
            client = stack.imap_login(account)
            client.select("INBOX")
            validity = client.response("UIDVALIDITY")[1][0].decode()
            for _ in range(20):
                if stop.is_set():
                    return
                number += 1
                identity = f"a{worker}-{number}"
                status, answer = client.append("INBOX", None, None, text(identity, 5).encode())
                if status != "OK":
                    continue
                books.accepted(account, identity)
                told = re.search(rb"APPENDUID (\d+) (\d+)", answer[0])
                books.seen(account, told[1].decode(), int(told[2]), identity)
                client.uid("STORE", told[2].decode(), "+FLAGS.SILENT", "(\\Seen)")
            client.logout()
        except Exception:  # whatever a dying server makes imaplib raise
            time.sleep(0.01)


def read_mail(stack, books, stop, worker, seed):
    """An IMAP client that stays and reads the newest message again and again: a UID that was shown means the same ever after."""
    chance = random.Random(seed)
    while not stop.is_set():
        account = chance.choice(ACCOUNTS)
        try:
            client = stack.imap_login(account)
            client.select("INBOX", readonly=True)
            validity = client.response("UIDVALIDITY")[1][0].decode()
            for _ in range(200):
                if stop.is_set():
                    return
                for uid, identity in identities(client, "*"):
                    books.seen(account, validity, uid, identity)
            client.logout()
        except Exception:  # whatever a dying server makes imaplib raise
            time.sleep(0.01)


def kill(stack, name):
    """Kills the daemon and waits until another one runs in its place."""
    pid = wait_until(lambda: daemons(stack).get(name), f"{name} to be running")
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: daemons(stack).get(name) not in (None, pid), f"{name} to be restarted")


def kill_again_and_again(stack, chance, kills):
    """How often which daemon was killed; one in two deaths of deliver is followed by another while it recovers."""
    killed = collections.Counter()
    while killed.total() < kills:
        time.sleep(chance.uniform(0.05, 0.6))  # the moment of death is the test's subject, not a wait for something
        name = chance.choice(DAEMONS)
        kill(stack, name)
        killed[name] += 1
        if name == "deliver" and chance.random() < 0.5:
            time.sleep(chance.uniform(0, 0.08))
            kill(stack, name)
            killed["deliver in its recovery"] += 1
    return killed


def daemons(stack):
    listing = run("ps", "-o", "pid=,comm=", "--ppid", stack.daemon.process.pid).out
    found = {}
    for line in listing.splitlines():
        pid, name = line.split(None, 1)
        for daemon in DAEMONS:
            if daemon[:5] in name:
                found[daemon] = int(pid)
    return found


def contents(stack, account):
    """[(uid, id)] of INBOX with its UIDVALIDITY."""
    client = stack.imap_login(account)
    client.select("INBOX", readonly=True)
    validity = client.response("UIDVALIDITY")[1][0].decode()
    found = identities(client, "1:*")
    client.logout()
    return validity, found


def identities(client, uids):
    """[(uid, id)] of messages, out of their bodies: the index would answer without them."""
    answer = client.uid("FETCH", uids, "(UID BODY.PEEK[])")[1]
    found = []
    for item in answer:
        if isinstance(item, tuple):
            uid = int(re.search(rb"UID (\d+)", item[0])[1])
            found.append((uid, re.search(rb"X-Id: (\S+)", item[1], re.I)[1].decode()))
    return found


def check(stack, books, when):
    problems = []
    for account in ACCOUNTS:
        validity, found = contents(stack, account)
        counts = collections.Counter(identity for _, identity in found)
        uids = [uid for uid, _ in found]
        for uid, identity in found:
            books.seen(account, validity, uid, identity)
        missing = sum(1 for identity in books.acknowledged[account] if not counts[identity])
        acknowledged = len(books.acknowledged[account])
        print(f"{when}: {account} holds {len(found)} messages, {acknowledged} acknowledged, {missing} missing")
        problems += [f"{when}: {account} lost {identity}" for identity in books.acknowledged[account]
                     if not counts[identity]]
        problems += [f"{when}: {account} has {identity} {n} times" for identity, n in counts.items() if n > 1]
        if sorted(set(uids)) != uids:
            problems.append(f"{when}: {account} has UIDs out of order or twice")
    problems += [f"UID reused: {reuse}" for reuse in books.reused]
    return problems


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    print(f"crash: seed {options.seed}, {options.kills} kills")
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        stack = Mailstead(pathlib.Path(folder) / "mailstead")
        for account in ACCOUNTS:
            stack.add_account(account)
        stack.start()
        books, stop = Books(), threading.Event()
        roles = [send_mail] * 6 + [append_mail] * 2 + [read_mail] * 2
        workers = [threading.Thread(target=role, args=(stack, books, stop, number, options.seed + number), daemon=True)
                   for number, role in enumerate(roles)]
        for worker in workers:
            worker.start()
        killed = kill_again_and_again(stack, chance, options.kills)
        stop.set()
        for worker in workers:
            worker.join()
        wait_until(lambda: answers(stack), "the stack to answer again")
        problems = check(stack, books, "after the kills")
        stack.stop()
        stack.start()
        problems += check(stack, books, "after a restart")
        stack.stop()
        print(f"crash: {dict(killed)} killed, {books.total()} acknowledged deliveries, {len(problems)} problems")
        for problem in problems[:20]:
            print(problem)
        if problems:
            print(stack.log()[-4000:])
            keep = os.environ.get("MAILSTEAD_CRASH_LOG")
            if keep:
                pathlib.Path(keep).write_text(stack.log() + "\n".join(problems))
        return 1 if problems or books.total() < 100 else 0


def answers(stack):
    try:
        for account in ACCOUNTS:
            contents(stack, account)
        return True
    except Exception:  # still starting
        return False


if __name__ == "__main__":
    assert PASSWORD
    sys.exit(main())
