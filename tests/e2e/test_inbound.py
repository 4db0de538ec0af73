"""Mail comes in from strangers, with the programs that people use to try a server."""

import smtplib

import pytest

from lab.process import run


def test_swaks_delivers_over_starttls_and_the_message_is_in_the_inbox(mailstead):
    run("swaks", "--server", mailstead.host, "--port", mailstead.smtp, "--from", "stranger@remote.test", "--to",
        mailstead.address, "--helo", "mx.remote.test", "--tls", "--header", "Subject: swaks over TLS", "--body", "hello")
    message = mailstead.wait_for_message(subject="swaks over TLS")
    assert "hello" in message.get_payload()
    assert message["Return-Path"] == "<stranger@remote.test>"
    assert "with ESMTPS" in message["Received"]


def test_curl_delivers_plain(mailstead):
    run("curl", "-sS", "--fail", f"smtp://{mailstead.host}:{mailstead.smtp}/stranger.test", "--mail-from", "a@remote.test",
        "--mail-rcpt", mailstead.address, "-T", "-", stdin="From: a@remote.test\r\nSubject: curl in\r\n\r\nhi\r\n")
    assert mailstead.wait_for_message(subject="curl in").get_payload() == "hi\r\n"


def test_postfix_delivers_to_us_through_our_mx_record(mailstead, postfix):
    postfix.send("friend@remote.test", mailstead.address, "From: friend@remote.test\nSubject: through MX\n\nhello\n")
    message = mailstead.wait_for_message(subject="through MX")
    assert "mx.remote.test" in message["Received"]
    results = message["Authentication-Results"]
    assert results.startswith(mailstead.hostname)
    assert "spf=" in results and "dkim=none" in results and "dmarc=" in results


def test_spf_pass_and_fail_stand_in_the_results(mailstead, dns):
    dns.txt("spf.remote.test", "v=spf1 ip4:127.0.0.1 -all")
    dns.txt("nospf.remote.test", "v=spf1 ip4:192.0.2.1 -all")
    dns.restart()
    for domain, verdict in (("spf.remote.test", "spf=pass"), ("nospf.remote.test", "spf=fail")):
        mailstead.receive(f"a@{domain}", [mailstead.address], f"From: a@{domain}\r\nSubject: spf {domain}\r\n\r\nx\r\n")
        results = mailstead.wait_for_message(subject=f"spf {domain}")["Authentication-Results"]
        assert verdict in results


def test_forged_results_in_our_name_are_removed(mailstead):
    mailstead.receive("a@remote.test", [mailstead.address],
                      f"Authentication-Results: {mailstead.hostname}; dkim=pass header.d=bank.test\r\n"
                      "From: a@remote.test\r\nSubject: forged results\r\n\r\nx\r\n")
    message = mailstead.wait_for_message(subject="forged results")
    fields = message.get_all("Authentication-Results")
    assert len(fields) == 1 and "bank.test" not in fields[0]


@pytest.mark.parametrize("recipient, code, enhanced", [
    ("nobody@example.test", 550, b"5.1.1"),
    ("someone@elsewhere.test", 550, b"5.7.1"),
])
def test_strangers_are_refused_at_rcpt(mailstead, recipient, code, enhanced):
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        mailstead.receive("a@remote.test", [recipient], "From: a@remote.test\r\n\r\nx\r\n")
    (status, text), = refused.value.recipients.values()
    assert status == code and text.startswith(enhanced)


@pytest.mark.parametrize("recipient", ["you+tag@example.test", "YOU@EXAMPLE.TEST", "postmaster@example.test"])
def test_tags_capitals_and_postmaster_reach_the_account(mailstead, recipient):
    mailstead.receive("a@remote.test", [recipient], f"From: a@remote.test\r\nSubject: to {recipient}\r\n\r\nx\r\n")
    assert mailstead.wait_for_message(subject=f"to {recipient}")


def test_aliases_and_catch_all_work_without_a_restart(mailstead):
    mailstead.cli("alias", "add", "sales@example.test", mailstead.address)
    mailstead.receive("a@remote.test", ["sales@example.test"], "From: a@remote.test\r\nSubject: to sales\r\n\r\nx\r\n")
    assert mailstead.wait_for_message(subject="to sales")


@pytest.mark.parametrize("ending", [b"\n.\r\n", b"\r\n.\n", b"\r.\r\n", b"\n.\n", b"\r\n.\r"])
def test_only_crlf_dot_crlf_ends_a_message(mailstead, ending):
    with smtplib.SMTP(mailstead.host, mailstead.smtp, timeout=10) as client:
        client.ehlo("stranger.test")
        client.mail("a@remote.test")
        client.rcpt(mailstead.address)
        assert client.docmd("DATA")[0] == 354
        client.send(b"From: a@remote.test\r\nSubject: smuggled\r\n\r\nx" + ending + b"MAIL FROM:<b@remote.test>\r\n")
        client.send(b"\r\n.\r\n")
        code, _ = client.getreply()
        assert code == 550  # one reply, a refusal: the bare CR or LF ended nothing
        assert client.noop()[0] == 250


def test_bytes_sent_ahead_of_the_tls_handshake_are_thrown_away(mailstead):
    import socket
    with socket.create_connection((mailstead.host, mailstead.smtp), timeout=10) as raw:
        stream = raw.makefile("rwb")
        assert stream.readline().startswith(b"220")
        stream.write(b"EHLO stranger.test\r\n")
        stream.flush()
        while stream.readline()[3:4] == b"-":
            pass
        stream.write(b"STARTTLS\r\nMAIL FROM:<injected@remote.test>\r\n")
        stream.flush()
        assert stream.readline().startswith(b"220")
        context = mailstead.tls()
        stream.detach() if False else None
        secure = context.wrap_socket(raw.dup(), server_hostname="localhost")
        secure.sendall(b"EHLO stranger.test\r\n")
        answer = secure.recv(4096)
        assert answer.startswith(b"250-"), answer  # the EHLO's answer, not one to the injected MAIL


def test_one_message_to_ten_accounts_is_one_file_on_disk(mailstead):
    names = [f"many{i}@example.test" for i in range(10)]
    for name in names:
        mailstead.add_account(name)
    mailstead.receive("a@remote.test", names, "From: a@remote.test\r\nSubject: to ten\r\n\r\nx\r\n")
    for name in names:
        assert mailstead.wait_for_message(user=name, subject="to ten")
    inodes = {path.stat().st_ino for path in (mailstead.folder / "data" / "accounts").glob("*/mail/new/*")
              if b"Subject: to ten" in path.read_bytes()}
    assert len(inodes) == 1
