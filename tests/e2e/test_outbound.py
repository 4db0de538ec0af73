"""Mail leaves: submitted over TLS, signed, found through MX in a real DNS, verified by others."""

import email
import os
import smtplib
import subprocess
import sys

import pytest

MESSAGE = "From: You <you@example.test>\r\nTo: friend@remote.test\r\nSubject: {subject}\r\n\r\nHello there.\r\n"


def test_submitted_mail_arrives_signed_at_a_postfix_found_through_mx(mailstead, postfix):
    mailstead.submit(mailstead.address, ["friend@remote.test"], MESSAGE.format(subject="signed out"))
    raw = postfix.wait_for_message("friend", b"Subject: signed out")
    message = email.message_from_bytes(raw)
    assert message["Date"] and message["Message-ID"], "missing fields are added"
    assert "d=example.test" in message["DKIM-Signature"]
    assert "TLSv1" in raw.decode(errors="replace").split("Subject:")[0], "opportunistic STARTTLS was used"
    assert "dkim=pass" in message["Authentication-Results"], "OpenDKIM verifies the signature"


def test_dkimpy_verifies_the_signature(mailstead, postfix):
    mailstead.submit(mailstead.address, ["friend@remote.test"], MESSAGE.format(subject="for dkimpy"))
    raw = postfix.wait_for_message("friend", b"Subject: for dkimpy")
    signed = raw[raw.index(b"DKIM-Signature:"):].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    keys = {r["name"].rstrip("."): r["value"] for r in mailstead.json("dns", "records", "example.test")}
    sys.path.append("/usr/lib/python3/dist-packages")
    import dkim
    assert dkim.verify(signed, dnsfunc=lambda name, timeout=5: keys[name.decode().rstrip(".")].encode())


def test_a_refused_recipient_comes_back_as_a_bounce(mailstead, postfix):
    mailstead.submit(mailstead.address, ["nobody@remote.test"],
                     MESSAGE.replace("friend@", "nobody@").format(subject="will bounce"))
    bounce = mailstead.wait_for_message(subject="could not be delivered", deadline=40)
    assert bounce.get_content_type() == "multipart/report"
    report = next(part for part in bounce.walk() if part.get_content_type() == "message/delivery-status")
    text = report.as_string()
    assert "Final-Recipient: rfc822; nobody@remote.test" in text.replace("rfc822;nobody", "rfc822; nobody")
    assert "Action: failed" in text and "Status: 5.1.1" in text
    assert bounce["Return-Path"] == "<>"


def test_mail_waits_in_the_queue_while_the_remote_is_down_and_goes_out_later(mailstead, postfix):
    postfix.stop()
    try:
        mailstead.submit(mailstead.address, ["other@remote.test"], MESSAGE.format(subject="patience"))
        from lab.process import wait_until
        entry = wait_until(lambda: [e for e in mailstead.json("queue", "list") if "other@remote.test" in str(e)],
                           "the queue to show the message")[0]
        assert entry
    finally:
        postfix.start()
    mailstead.cli("queue", "retry", "all")
    assert postfix.wait_for_message("other", b"Subject: patience")


@pytest.mark.parametrize("sender, from_field", [
    ("friend@example.test", "friend@example.test"),
    ("you@example.test", "friend@example.test"),
    ("someone@remote.test", "you@example.test"),
])
def test_a_sender_that_is_not_the_accounts_own_is_refused(mailstead, sender, from_field):
    with smtplib.SMTP_SSL("localhost", mailstead.submissions, context=mailstead.tls()) as client:
        client.login(mailstead.address, "correct horse battery staple")
        with pytest.raises((smtplib.SMTPSenderRefused, smtplib.SMTPDataError, smtplib.SMTPRecipientsRefused)):
            client.sendmail(sender, ["friend@remote.test"], f"From: {from_field}\r\nSubject: forged\r\n\r\nx\r\n")


def test_a_wrong_password_is_refused_and_auth_is_not_offered_in_the_clear(mailstead):
    with smtplib.SMTP("localhost", mailstead.submission) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        assert client.docmd("AUTH", "PLAIN AHlvdQB4")[0] in (530, 538, 503, 502)
        client.starttls(context=mailstead.tls())
        client.ehlo()
        assert client.has_extn("auth")
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login(mailstead.address, "wrong")


def test_submission_without_login_relays_nothing(mailstead):
    with smtplib.SMTP_SSL("localhost", mailstead.submissions, context=mailstead.tls()) as client:
        client.ehlo()
        assert client.mail("you@example.test")[0] == 530


def test_swaks_submits_with_starttls_and_the_trace_tells_the_story(mailstead, postfix):
    done = subprocess.run(["swaks", "--server", f"localhost:{mailstead.submission}", "--tls", "--auth", "PLAIN", "--auth-user",
                           mailstead.address, "--auth-password", "correct horse battery staple", "--from", mailstead.address,
                           "--to", "friend@remote.test", "--header", "Subject: traced"], capture_output=True, text=True,
                          check=True)
    accepted = next(line for line in done.stdout.splitlines() if "250 2.0.0" in line or "250 2.6.0" in line)
    trace_id = accepted.split()[-1]
    postfix.wait_for_message("friend", b"Subject: traced")
    from lab.process import wait_until

    def told():
        story = mailstead.cli("trace", trace_id).out
        return story if "mx.remote.test" in story else None
    story = wait_until(told, "the relay attempt in the trace")
    assert "friend@remote.test" in story and "250" in story


def test_mutt_sends_with_the_mechanism_it_chooses_itself(mailstead, tmp_path):
    rc = tmp_path / "muttrc"
    rc.write_text(f"""set smtp_url="smtps://{mailstead.address}@localhost:{mailstead.submissions}/"
set smtp_pass="correct horse battery staple"
set from="{mailstead.address}" use_from=yes
set certificate_file="{mailstead.ca}"
set ssl_force_tls=yes copy=no record="" sleep_time=0
""")
    subprocess.run(["mutt", "-n", "-F", rc, "-s", "sent by mutt", "--", mailstead.address], input="body\n", text=True, check=True,
                   timeout=60, env={**os.environ, "HOME": str(tmp_path), "TERM": "xterm"})
    assert mailstead.wait_for_message(subject="sent by mutt")
