"""What goes wrong: nothing accepted is lost, the sender hears a 4xx, and all recover by themselves."""

import os
import re
import signal
import smtplib

import pytest

from lab.process import run, wait_until

TEXT = "From: a@remote.test\r\nSubject: {0}\r\n\r\nx\r\n"


def deliver_pid(stack):
    return next((pid for name, pid in stack.children().items() if "deliv" in name), None)


def test_while_deliver_is_away_senders_hear_4xx_and_then_mail_flows_again(own_stack):
    stack = own_stack().start()
    pid = deliver_pid(stack)
    supervisor = stack.daemon.process.pid
    os.kill(supervisor, signal.SIGSTOP)  # nobody restarts deliver until the sender has heard its 4xx
    try:
        os.kill(pid, signal.SIGKILL)
        with pytest.raises((smtplib.SMTPDataError, smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused)) as refused:
            stack.receive("a@remote.test", [stack.address], TEXT.format("lost?"))
        assert "45" in str(refused.value)
    finally:
        os.kill(supervisor, signal.SIGCONT)
    wait_until(lambda: deliver_pid(stack) not in (None, pid), "serve to restart deliver")

    def flows():
        try:
            stack.receive("a@remote.test", [stack.address], TEXT.format("back again"))
            return True
        except smtplib.SMTPException:
            return False
    wait_until(flows, "mail to flow again", interval=0.2)
    assert stack.wait_for_message(subject="back again")


def test_a_restart_keeps_uids_flags_and_queue(own_stack):
    stack = own_stack().start()
    stack.receive("a@remote.test", [stack.address], TEXT.format("kept"))
    stack.wait_for_message(subject="kept")
    client = stack.imap_login()
    client.select("INBOX")
    client.store("1", "+FLAGS", "(\\Flagged custom)")
    before = client.fetch("1", "(UID FLAGS)")[1][0], client.response("UIDVALIDITY")
    client.logout()
    stack.submit(stack.address, ["x@unreachable.test"], "From: you@example.test\r\nSubject: q\r\n\r\nx\r\n")
    stack.stop()
    stack.start()
    client = stack.imap_login()
    client.select("INBOX")
    assert (client.fetch("1", "(UID FLAGS)")[1][0], client.response("UIDVALIDITY")) == before
    client.logout()
    assert any("x@unreachable.test" in str(entry) for entry in stack.json("queue", "list"))


def test_a_configuration_error_names_file_line_and_key(own_stack):
    stack = own_stack()
    stack.edit(lambda text: "hostnam = \"x\"\n" + text)
    done = stack.cli("config", "check", check=False)
    assert done.returncode == 78  # EX_CONFIG
    message = done.err + done.out
    assert "mailstead.toml:1" in message and "hostnam" in message and "hostname" in message


def test_a_renewed_certificate_is_used_without_dropping_sessions(own_stack):
    import ssl
    stack = own_stack().start()
    session = stack.imap_login()
    old = ssl.get_server_certificate(("127.0.0.1", stack.imaps))
    certificate, key = stack.folder / "tls/fullchain.pem", stack.folder / "tls/key.pem"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
        "/CN=localhost", "-keyout", f"{key}.new", "-out", f"{certificate}.new")
    os.replace(f"{key}.new", key)
    os.replace(f"{certificate}.new", certificate)
    wait_until(lambda: ssl.get_server_certificate(("127.0.0.1", stack.imaps)) != old, "the new certificate")
    assert session.noop()[0] == "OK"


def test_an_account_over_its_quota_is_refused_at_rcpt(own_stack):
    stack = own_stack()
    stack.cli("account", "quota", stack.address, "10K")
    stack.start()
    stack.receive("a@remote.test", [stack.address], TEXT.format("fill") + ("y" * 70 + "\r\n") * 120)
    stack.wait_for_message(subject="fill")
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        stack.receive("a@remote.test", [stack.address], TEXT.format("too much") + ("z" * 70 + "\r\n") * 30)
    (code, text), = refused.value.recipients.values()
    assert code == 452 and text.startswith(b"4.2.2")


def fills(file, left):
    """Leaves so many bytes of the disk free; False when somebody else took some of them just now."""
    file.truncate(0)
    free = os.statvfs(file.name)
    try:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - left)
    except OSError:
        return False
    return True


@pytest.mark.parametrize("left", [64 << 20, 0])
def test_a_full_disk_is_answered_with_later_and_loses_nothing(own_stack, left):
    stack = own_stack(disk="400m").start()
    stack.receive("a@remote.test", [stack.address], TEXT.format("before"))
    ballast = stack.folder / "ballast"
    with open(ballast, "wb") as file:
        wait_until(lambda: fills(file, left), "a full disk")
    with pytest.raises((smtplib.SMTPDataError, smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused)) as refused:
        stack.receive("a@remote.test", [stack.address], TEXT.format("no room"))
    assert re.search(r"\b4\d\d\b", str(refused.value)), refused.value
    client = stack.imap_login()
    kind, (text,) = client.append("INBOX", None, None, b"Subject: no room\r\n\r\nx\r\n")
    assert kind == "NO" and (b"disk is full" in text or b"No room" in text), text
    assert client.select("INBOX")[1] == [b"1"], "reading goes on, and nothing half-written is there"
    if left:
        assert client.store("1", "+FLAGS", "(\\Flagged)")[0] == "OK", "small changes pass, so that room can be made"
    client.logout()
    ballast.unlink()

    def flows():
        try:
            stack.receive("a@remote.test", [stack.address], TEXT.format("after"))
            return True
        except smtplib.SMTPException:
            return False
    wait_until(flows, "mail to flow again", interval=0.2)
    stack.stop()
    stack.start()
    client = stack.imap_login()
    assert client.select("INBOX")[1] == [b"2"]
    client.logout()


def test_without_dns_mail_is_taken_and_mail_to_others_waits(own_stack):
    stack = own_stack()
    stack.configure("dns", servers=["127.0.0.1:9"])  # nobody listens there
    stack.start()
    stack.receive("a@remote.test", [stack.address], TEXT.format("no dns"))
    message = stack.wait_for_message(subject="no dns")
    assert "spf=temperror" in message["Authentication-Results"]
    stack.submit(stack.address, ["x@remote.test"], "From: you@example.test\r\nSubject: q\r\n\r\nx\r\n")

    def waits():
        return any("x@remote.test" in str(entry) for entry in stack.json("queue", "list"))
    wait_until(waits, "the message to wait in the queue")
