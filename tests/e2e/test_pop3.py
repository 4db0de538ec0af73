"""Mail is fetched by POP3 with poplib, fetchmail, curl and mpop."""

import base64
import poplib
import re

import pytest

from lab.mailstead import PASSWORD
from lab.process import run, wait_until

SUBJECTS = ["pop one", "pop two"]


def fill(mailstead, user, subjects=SUBJECTS):
    for subject in subjects:
        mailstead.receive("a@remote.test", [user], f"From: A <a@remote.test>\r\nTo: {user}\r\nSubject: {subject}\r\n\r\n"
                          f"..body of {subject}\r\n.\r\n")
    for subject in subjects:
        mailstead.wait_for_message(user=user, subject=subject)


def subjects_left(mailstead, user):
    client = mailstead.imap_login(user)
    client.select("INBOX", readonly=True)
    numbers = client.search(None, "ALL")[1][0].split()
    left = [client.fetch(n, "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1][0][1].decode() for n in numbers]
    client.logout()
    return [re.search(r"Subject: (.*)\r\n", header)[1] for header in left]


def test_poplib_reads_what_imap_shows_and_removes_at_quit(mailstead):
    user = mailstead.add_account("poplib@example.test")
    fill(mailstead, user)
    client = mailstead.pop3_login(user)
    count, octets = client.stat()
    assert count == 2
    sizes = dict(map(int, line.split()) for line in client.list()[1])
    assert sum(sizes.values()) == octets
    ids = [line.split()[1] for line in client.uidl()[1]]
    assert len(set(ids)) == 2
    _, lines, _ = client.retr(1)
    message = b"\r\n".join(lines) + b"\r\n"
    assert len(message) == sizes[1]
    assert message == mailstead.wait_for_message(user=user, subject="pop one").raw
    assert b"..body of pop one" in lines and b"." in lines
    _, top, _ = client.top(2, 1)
    assert top[-1] == b"..body of pop two"
    client.dele(1)
    assert client.stat()[0] == 1
    client.close()  # no QUIT: nothing is removed
    assert subjects_left(mailstead, user) == SUBJECTS
    client = mailstead.pop3_login(user)
    assert [line.split()[1] for line in client.uidl()[1]] == ids
    client.dele(1)
    client.quit()
    assert subjects_left(mailstead, user) == ["pop two"]
    client = mailstead.pop3_login(user)
    assert [line.split()[1] for line in client.uidl()[1]] == ids[1:]
    client.quit()


def test_poplib_after_stls(mailstead):
    client = poplib.POP3("localhost", mailstead.pop3, timeout=30)
    assert "STLS" in client.capa() and "USER" not in client.capa()
    with pytest.raises(poplib.error_proto, match="STLS"):
        client.user(mailstead.address)
    client.stls(mailstead.tls())
    assert "STLS" not in client.capa() and "SCRAM-SHA-256-PLUS" in client.capa()["SASL"]
    with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
        client.user(mailstead.address)
        client.pass_("wrong")
    client.user(mailstead.address)
    client.pass_(PASSWORD)
    client.quit()


def fetchmail(mailstead, tmp_path, user, options):
    target = tmp_path / "out"
    config = tmp_path / "fetchmailrc"
    config.write_text(f'poll localhost protocol pop3 {options[0]} auth password username "{user}" password "{PASSWORD}" '
                      f'{options[1]} mda "cat >> {target}"\n')
    config.chmod(0o600)
    run("fetchmail", "-f", config, "--idfile", tmp_path / "ids", "--pidfile", tmp_path / "pid",
        env={"HOME": str(tmp_path)}, check=False)
    return target.read_text() if target.exists() else ""


def test_fetchmail_keeps_and_knows_what_it_has_by_uidl(mailstead, tmp_path):
    user = mailstead.add_account("fetchkeep@example.test")
    fill(mailstead, user)
    how = (f"service {mailstead.pop3s} uidl", f"ssl sslcertck sslcertfile {mailstead.ca} keep")
    first = fetchmail(mailstead, tmp_path, user, how)
    assert first.count("Subject: pop ") == 2
    assert fetchmail(mailstead, tmp_path, user, how) == first  # nothing new
    assert subjects_left(mailstead, user) == SUBJECTS
    fill(mailstead, user, ["pop three"])
    assert fetchmail(mailstead, tmp_path, user, how).count("Subject: pop ") == 3


def test_fetchmail_takes_everything_away_after_stls(mailstead, tmp_path):
    user = mailstead.add_account("fetchnokeep@example.test")
    fill(mailstead, user)
    how = (f"service {mailstead.pop3}", f"sslproto tls1.2+ sslcertck sslcertfile {mailstead.ca} fetchall nokeep")
    assert fetchmail(mailstead, tmp_path, user, how).count("Subject: pop ") == 2
    assert subjects_left(mailstead, user) == []


def test_curl_lists_and_fetches(mailstead):
    user = mailstead.add_account("curlpop@example.test")
    fill(mailstead, user)
    base = ("curl", "-sS", "--cacert", mailstead.ca, "-u", f"{user}:{PASSWORD}")
    listing = run(*base, f"pop3s://localhost:{mailstead.pop3s}/").out
    assert [line.split()[0] for line in listing.splitlines()] == ["1", "2"]
    fetched = run(*base, "--ssl-reqd", f"pop3://localhost:{mailstead.pop3}/2").out
    assert "Subject: pop two" in fetched and "\n..body of pop two" in fetched
    for mechanism in ("PLAIN", "LOGIN"):
        options = ("--login-options", f"AUTH={mechanism}")
        assert "Subject: pop one" in run(*base, *options, f"pop3s://localhost:{mailstead.pop3s}/1").out


def test_mpop_pipelines(mailstead, tmp_path):
    user = mailstead.add_account("mpop@example.test")
    fill(mailstead, user)
    config = tmp_path / "mpoprc"
    config.write_text(f"""account default
host localhost
port {mailstead.pop3s}
user {user}
password {PASSWORD}
auth user
tls on
tls_starttls off
tls_trust_file {mailstead.ca}
pipelining on
keep on
uidls_file {tmp_path}/uidls
delivery mbox {tmp_path}/mbox
""")
    config.chmod(0o600)
    run("mpop", "-C", config)
    assert (tmp_path / "mbox").read_text().count("Subject: pop ") == 2
    run("mpop", "-C", config)
    assert (tmp_path / "mbox").read_text().count("Subject: pop ") == 2
    run("mpop", "-C", config, "--keep=off", "--only-new=off")
    assert subjects_left(mailstead, user) == []


def test_two_sessions_do_not_break_each_other(mailstead):
    user = mailstead.add_account("twice@example.test")
    fill(mailstead, user)
    one, two = mailstead.pop3_login(user), mailstead.pop3_login(user)
    two.dele(1)
    two.quit()
    with pytest.raises(poplib.error_proto, match="no more"):
        one.retr(1)
    assert b"Subject: pop two" in one.retr(2)[1]
    one.dele(1)
    one.dele(2)
    one.quit()
    assert subjects_left(mailstead, user) == []


def test_an_app_password_works_by_imap_submission_and_pop3_until_it_is_removed(mailstead):
    user = mailstead.add_account("apps@example.test")
    password = mailstead.cli("account", "app-password", user, "add", "phone").out.strip()
    listed = mailstead.json("account", "app-password", user, "list")
    assert [(app["name"], app["last_used"]) for app in listed] == [("phone", None)]
    mailstead.imap_login(user, password).logout()
    mailstead.submit(user, [user], f"From: {user}\r\nTo: {user}\r\nSubject: by app\r\n\r\nx\r\n", password=password)
    mailstead.pop3_login(user, password).quit()
    wait_until(lambda: re.match(r"20\d\d-", mailstead.json("account", "app-password", user, "list")[0]["last_used"] or ""),
               "the time of last use", 10)
    mailstead.pop3_login(user).quit()  # the account's own stays as it was
    mailstead.cli("account", "app-password", user, "remove", "phone")
    with pytest.raises(poplib.error_proto, match=r"\[AUTH\]"):
        mailstead.pop3_login(user, password)
    with pytest.raises(Exception, match="AUTHENTICATIONFAILED"):
        mailstead.imap_login(user, password)
    with pytest.raises(Exception, match="535"):
        mailstead.submit(user, [user], "Subject: x\r\n\r\nx\r\n", password=password)


def test_malformed_proofs_are_not_wrong_ones(mailstead):
    import imaplib
    import smtplib
    garbage = base64.b64encode(b"no separators").decode()
    with smtplib.SMTP_SSL("localhost", mailstead.submissions, context=mailstead.tls(), timeout=30) as smtp:
        smtp.ehlo()
        assert smtp.docmd("AUTH", f"PLAIN {garbage}")[0] == 501
        assert smtp.docmd("AUTH", "PLAIN " + base64.b64encode(b"\0nobody\0x").decode())[0] == 535
    imap = imaplib.IMAP4_SSL("localhost", mailstead.imaps, ssl_context=mailstead.tls(), timeout=30)
    with pytest.raises(imaplib.IMAP4.error, match="BAD|prescribes"):
        imap.authenticate("PLAIN", lambda _: b"no separators")
    imap.shutdown()
