"""Mail is read with isync, mutt, fetchmail, curl and imaplib, and changes go both ways."""

import imaplib
import os
import time

from lab.mailstead import PASSWORD
from lab.process import run, wait_until


def fill(mailstead, user, subjects):
    for subject in subjects:
        mailstead.receive("a@remote.test", [user], f"From: A <a@remote.test>\r\nTo: {user}\r\nSubject: {subject}\r\n\r\n"
                          f"body of {subject}\r\n")
    for subject in subjects:
        mailstead.wait_for_message(user=user, subject=subject)


def test_isync_pulls_pushes_and_agrees_on_flags(mailstead, tmp_path):
    user = mailstead.add_account("isync@example.test")
    fill(mailstead, user, ["sync one", "sync two"])
    maildir = tmp_path / "mail"
    maildir.mkdir()
    config = tmp_path / "mbsyncrc"
    config.write_text(f"""IMAPAccount m
Host localhost
Port {mailstead.imaps}
User {user}
Pass "{PASSWORD}"
SSLType IMAPS
CertificateFile {mailstead.ca}

IMAPStore far
Account m

MaildirStore near
Path {maildir}/
Inbox {maildir}/INBOX
SubFolders Verbatim

Channel c
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
""")
    run("mbsync", "-c", config, "c")
    pulled = list((maildir / "INBOX").glob("*/*:2,*")) + list((maildir / "INBOX" / "new").iterdir())
    assert len({path.name for path in pulled}) == 2
    first = next(path for path in pulled if b"sync one" in path.read_bytes())
    first.rename(maildir / "INBOX" / "cur" / (first.name.split(":")[0] + ":2,FS"))
    (maildir / "Sent" / "cur" / f"{int(time.time())}.1.host:2,S").write_text("From: you\nSubject: pushed\n\nx\n")
    run("mbsync", "-c", config, "c")
    client = mailstead.imap_login(user)
    client.select("INBOX")
    assert client.search(None, "FLAGGED", "SEEN", "SUBJECT", '"sync one"')[1][0]
    assert mailstead.wait_for_message(user=user, mailbox="Sent", subject="pushed")
    client.logout()
    again = run("mbsync", "-c", config, "c")
    assert "error" not in (again.out + again.err).lower()


def test_fetchmail_takes_everything(mailstead, tmp_path):
    user = mailstead.add_account("fetch@example.test")
    fill(mailstead, user, ["fetched"])
    target = tmp_path / "out"
    config = tmp_path / "fetchmailrc"
    config.write_text(f'poll localhost service {mailstead.imaps} protocol imap auth password username "{user}" password '
                      f'"{PASSWORD}" ssl sslcertck sslcertfile {mailstead.ca} keep '
                      f'mda "cat >> {target}"\n')
    config.chmod(0o600)
    run("fetchmail", "-f", config, "--idfile", tmp_path / "ids", "--pidfile", tmp_path / "pid", env={"HOME": str(tmp_path)})
    assert "Subject: fetched" in target.read_text()


def test_curl_reads_flags_and_appends(mailstead, tmp_path):
    user = mailstead.add_account("curl@example.test")
    fill(mailstead, user, ["for curl"])
    base = f"imaps://localhost:{mailstead.imaps}"
    common = ["curl", "-sS", "--cacert", mailstead.ca, "--user", f"{user}:{PASSWORD}"]
    assert "Subject: for curl" in run(*common, f"{base}/INBOX;MAILINDEX=1").out
    assert "SENT" in run(*common, base, "-X", 'LIST "" *').out.upper()
    run(*common, f"{base}/INBOX", "-X", "STORE 1 +FLAGS (\\Flagged $Label1)")
    assert "$Label1" in run(*common, f"{base}/INBOX", "-X", "FETCH 1 FLAGS").out
    note = tmp_path / "note.eml"
    note.write_bytes(b"From: me\r\nSubject: appended\r\n\r\nx\r\n")
    run(*common, f"{base}/Drafts", "-T", note)
    assert mailstead.wait_for_message(user=user, mailbox="Drafts", subject="appended")


def test_mutt_reads_the_inbox_and_deletes(mailstead, tmp_path):
    user = mailstead.add_account("mutt@example.test")
    fill(mailstead, user, ["mutt keeps", "mutt deletes"])
    rc = tmp_path / "muttrc"
    rc.write_text(f"""set imap_user="{user}"
set imap_pass="{PASSWORD}"
set ssl_ca_certificates_file="{mailstead.ca}"
set certificate_file="{mailstead.ca}"
set ssl_verify_host=yes
set folder="imaps://localhost:{mailstead.imaps}"
set spoolfile="+INBOX"
set header_cache="" message_cachedir=""
set delete=yes quit=yes sleep_time=0
""")
    run("mutt", "-F", rc, "-f", f"imaps://localhost:{mailstead.imaps}/INBOX", "-e",
        'push "<delete-pattern>~s deletes<enter><sync-mailbox><quit>"', env={"TERM": "xterm", "HOME": str(tmp_path)},
        stdin="") if os.environ.get("MAILSTEAD_MUTT_NO_PTY") else run(
        "script", "-qec", f"mutt -F {rc} -e 'push \"<delete-pattern>~s deletes<enter><sync-mailbox><quit>\"'", "/dev/null",
        env={"TERM": "xterm", "HOME": str(tmp_path)}, timeout=30)

    def gone():
        client = mailstead.imap_login(user)
        client.select("INBOX", readonly=True)
        left = client.search(None, "ALL")[1][0].split()
        client.logout()
        return len(left) == 1
    wait_until(gone, "mutt to delete one message")
    assert mailstead.wait_for_message(user=user, subject="mutt keeps")


def test_special_use_folders_are_there_from_the_start(mailstead):
    client = mailstead.imap_login()
    listed = b"\n".join(client.list()[1])
    for name, use in ((b"Drafts", b"\\Drafts"), (b"Sent", b"\\Sent"), (b"Junk", b"\\Junk"), (b"Trash", b"\\Trash"),
                      (b"Archive", b"\\Archive")):
        line = next(line for line in listed.splitlines() if name in line)
        assert use in line
    client.logout()


def test_idle_hears_of_new_mail_at_once(mailstead):
    user = mailstead.add_account("idle@example.test")
    client = mailstead.imap_login(user)
    client.select("INBOX")
    tag = client._new_tag()
    client.send(tag + b" IDLE\r\n")
    assert client.readline().startswith(b"+")
    mailstead.receive("a@remote.test", [user], "From: a@remote.test\r\nSubject: wake\r\n\r\nx\r\n")
    client.sock.settimeout(5)
    while b"1 EXISTS" not in client.readline():
        pass
    client.send(b"DONE\r\n")
    while not client.readline().startswith(tag):
        pass
    client.logout()


def test_uids_and_flags_survive_a_move_between_mailboxes(mailstead):
    user = mailstead.add_account("mover@example.test")
    fill(mailstead, user, ["move me"])
    client = mailstead.imap_login(user)
    imaplib.Commands.setdefault("MOVE", ("SELECTED",))
    client.select("INBOX")
    client.store("1", "+FLAGS", "(\\Flagged)")
    status, _ = client._simple_command("MOVE", "1", "Archive")
    assert status == "OK"
    client.select("Archive")
    flags = client.fetch("1", "(FLAGS)")[1][0]
    assert b"\\Flagged" in flags
    client.select("INBOX")
    assert client.search(None, "ALL")[1] == [b""]
    client.logout()


def test_the_maildir_holds_each_message_as_a_plain_file(mailstead):
    user = mailstead.add_account("plain@example.test")
    fill(mailstead, user, ["in a file"])
    files = [path for path in (mailstead.folder / "data" / "accounts").glob("*/mail/new/*")
             if b"Subject: in a file" in path.read_bytes()]
    assert len(files) == 1
