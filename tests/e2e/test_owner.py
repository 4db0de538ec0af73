"""Two programs on one data folder: the second is turned away by name, and the first goes on as if nothing had been."""

import collections
import os
import re
import signal
import smtplib
import threading

import pytest

from lab.mailstead import BIN
from lab.process import run, wait_until

TEXT = "From: a@remote.test\r\nSubject: {0}\r\n\r\nx\r\n"
EX_CONFIG = 78


def on_other_ports(stack):
    """A second configuration of the same folder, whose ports are free."""
    config = stack.folder / "second.toml"
    config.write_text(re.sub(r"(127\.0\.0\.1:)(\d+)", lambda m: m[1] + str(int(m[2]) + 4000), stack.config.read_text()))
    return config


def sockets(stack):
    """What lies in data/run, by inode: nobody may put another in its place."""
    return {path: path.stat().st_ino for path in sorted((stack.folder / "data/run").rglob("*"))}


def still_takes_mail(stack, subject):
    stack.receive("a@remote.test", [stack.address], TEXT.format(subject))
    assert stack.wait_for_message(subject=subject)


def test_a_second_serve_is_refused_at_once_and_told_who_serves(own_stack):
    stack = own_stack().start()
    before = sockets(stack)
    second = run(BIN / "mailstead", "-c", on_other_ports(stack), "serve", check=False)
    assert second.returncode == EX_CONFIG
    assert "ready" not in second.out
    serve, deliver = stack.daemon.process.pid, next(pid for name, pid in stack.children().items() if "deliv" in name)
    assert f"is in use by deliver (process {deliver}, started by `mailstead serve`, process {serve})" in second.err
    assert f"`kill {serve}`" in second.err
    assert "event=" not in second.err, "no daemon was started"
    assert sockets(stack) == before
    still_takes_mail(stack, "after the second serve")


@pytest.mark.parametrize("daemon", ["deliver", "imapd", "smtpd"])
def test_a_daemon_started_beside_serve_is_refused_and_touches_nothing(own_stack, daemon):
    stack = own_stack().start()
    before = sockets(stack)
    idle = stack.imap_login()
    idle.select("INBOX")
    second = run(BIN / f"mailstead-{daemon}", "-c", on_other_ports(stack), check=False)
    assert second.returncode == EX_CONFIG
    assert f"is in use by {daemon} (process " in second.err
    assert sockets(stack) == before
    still_takes_mail(stack, f"beside another {daemon}")
    assert idle.noop()[0] == "OK"
    assert idle.response("EXISTS")[1][-1] == b"1", "news still reach the first imapd's sessions"
    idle.logout()


def test_status_names_the_one_way_to_start(own_stack):
    stack = own_stack()
    done = stack.cli("status", check=False)
    assert f"`mailstead -c {stack.config} serve` starts it" in done.err
    assert "systemctl" not in done.err


class Senders:
    """Strangers who send as fast as they can and remember what was acknowledged."""

    def __init__(self, stack, count=3):
        self.stack, self.acknowledged, self.stopping = stack, set(), threading.Event()
        self.threads = [threading.Thread(target=self.send, args=(number,), daemon=True) for number in range(count)]
        for thread in self.threads:
            thread.start()

    def send(self, number):
        for count in range(1_000_000):
            if self.stopping.is_set():
                return
            token = f"token-{number}-{count}-"
            try:
                self.stack.receive("a@remote.test", [self.stack.address], TEXT.format(token))
                self.acknowledged.add(token)
            except (OSError, smtplib.SMTPException):
                pass  # not acknowledged

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)


def kill_all(stack):
    pids = list(stack.children().values())
    for pid in [stack.daemon.process.pid, *pids]:
        os.kill(pid, signal.SIGKILL)
    stack.daemon.process.wait(30)
    stack.daemon = None


def test_what_was_acknowledged_while_others_tried_to_start_is_there_once_after_a_kill(own_stack):
    stack = own_stack().start()
    senders = Senders(stack)
    config = on_other_ports(stack)
    for _ in range(3):
        seen = len(senders.acknowledged)
        assert run(BIN / "mailstead", "-c", config, "serve", check=False).returncode == EX_CONFIG
        assert run(BIN / "mailstead-deliver", "-c", config, check=False).returncode == EX_CONFIG
        wait_until(lambda seen=seen: len(senders.acknowledged) > seen + 10, "the first to take more mail")
    kill_all(stack)
    senders.stop()
    stack.start()  # at once: the locks of the killed are no obstacle
    client = stack.imap_login()
    client.select("INBOX")
    subjects = collections.Counter(
        token.decode() for part in client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1] if isinstance(part, tuple)
        for token in re.findall(rb"token-\d+-\d+-", part[1]))
    client.logout()
    assert len(senders.acknowledged) > 30
    assert [token for token in senders.acknowledged if subjects[token] != 1] == []


def test_serve_starts_while_the_daemons_of_a_killed_one_are_still_stopping(own_stack):
    stack = own_stack().start()
    slow = smtplib.SMTP(stack.host, stack.smtp, timeout=60)  # a transaction in hand, which the daemons let finish
    slow.ehlo("stranger.test")
    os.kill(stack.daemon.process.pid, signal.SIGKILL)
    stack.daemon.process.wait(30)
    stack.daemon = None
    stack.start()
    slow.close()
    still_takes_mail(stack, "after the killed serve")
