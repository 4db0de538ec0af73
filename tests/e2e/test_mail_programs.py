"""Programs that people read mail with make their whole round: read, flag, file, delete, send."""

import os
import re

import pexpect

from lab.mailstead import PASSWORD
from lab.process import run, wait_until


def fill(mailstead, user, *subjects):
    for subject in subjects:
        mailstead.receive("a@remote.test", [user], f"From: A <a@remote.test>\r\nTo: {user}\r\nSubject: {subject}\r\n\r\n"
                          f"body-of-{subject.replace(' ', '-')}\r\n")
    for subject in subjects:
        mailstead.wait_for_message(user=user, subject=subject)


def uids(mailstead, user, mailbox, *criteria):
    client = mailstead.imap_login(user)
    try:
        assert client.select(mailbox, readonly=True)[0] == "OK"
        return client.uid("SEARCH", *criteria)[1][0].split()
    finally:
        client.logout()


class Terminal:
    """A program on a terminal of its own; waits for what it shows."""

    def __init__(self, command, env):
        self.child = pexpect.spawn(str(command[0]), [str(part) for part in command[1:]], dimensions=(40, 120), timeout=30,
                                   env={**os.environ, "TERM": "xterm", "LANG": "C.UTF-8", **env})

    def shows(self, text):
        self.child.expect(text)
        return self

    def types(self, keys):
        self.child.send(keys)
        return self

    def ends(self):
        self.child.expect(pexpect.EOF)
        self.child.close()
        assert self.child.exitstatus == 0, self.child.before


def test_offlineimap_syncs_both_ways(mailstead, tmp_path):
    user = mailstead.add_account("offlineimap@example.test")
    fill(mailstead, user, "offline one", "offline two")
    maildir = tmp_path / "mail"
    config = tmp_path / "offlineimaprc"
    config.write_text(f"""[general]
accounts = a
metadata = {tmp_path}/state
ui = quiet
[Account a]
localrepository = here
remoterepository = there
[Repository here]
type = Maildir
localfolders = {maildir}
[Repository there]
type = IMAP
remotehost = localhost
remoteport = {mailstead.imaps}
remoteuser = {user}
remotepass = {PASSWORD}
ssl = yes
sslcacertfile = {mailstead.ca}
""")
    run("offlineimap", "-o", "-c", config, env={"HOME": str(tmp_path)})
    pulled = {path: path.read_bytes() for path in (maildir / "INBOX").glob("*/*") if path.is_file()}
    one, = (path for path, text in pulled.items() if b"offline one" in text)
    two, = (path for path, text in pulled.items() if b"offline two" in text)
    one.rename(maildir / "INBOX" / "cur" / (re.sub(r":2,.*", "", one.name) + ":2,FS"))
    two.unlink()
    (maildir / "Drafts" / "cur" / "1.2.host:2,D").write_text("From: you\nSubject: written offline\n\nx\n")
    run("offlineimap", "-o", "-c", config, env={"HOME": str(tmp_path)})
    assert uids(mailstead, user, "INBOX", "ALL") == uids(mailstead, user, "INBOX", "FLAGGED", "SEEN", "SUBJECT", '"offline one"')
    assert len(uids(mailstead, user, "Drafts", "SUBJECT", '"written offline"')) == 1


def test_imapfilter_files_flags_and_deletes(mailstead, tmp_path):
    user = mailstead.add_account("imapfilter@example.test")
    fill(mailstead, user, "to file", "to flag", "to delete")
    config = tmp_path / "config.lua"
    config.write_text(f"""options.timeout = 30
options.certificates = true
account = IMAP {{ server = 'localhost', port = {mailstead.imaps}, username = '{user}', password = '{PASSWORD}', ssl = 'auto' }}
account:create_mailbox('Filed/Here')
account.INBOX:contain_subject('to file'):move_messages(account['Filed/Here'])
account.INBOX:contain_subject('to flag'):mark_flagged()
account.INBOX:contain_subject('to delete'):delete_messages()
""")
    run("imapfilter", "-c", config, "-t", mailstead.ca, env={"HOME": str(tmp_path)})
    assert len(uids(mailstead, user, "Filed/Here", "SUBJECT", '"to file"')) == 1
    assert len(uids(mailstead, user, "INBOX", "FLAGGED", "SUBJECT", '"to flag"')) == 1
    assert len(uids(mailstead, user, "INBOX", "ALL")) == 1


def muttrc(mailstead, user, folder, **more):
    path = folder / "muttrc"
    settings = {"imap_user": user, "imap_pass": PASSWORD, "smtp_pass": PASSWORD, "from": user, "certificate_file": mailstead.ca,
                "smtp_url": f"smtps://{user}@localhost:{mailstead.submissions}/",
                "folder": f"imaps://localhost:{mailstead.imaps}",
                "spoolfile": "+INBOX", "record": "", "header_cache": "", "message_cachedir": "", **more}
    path.write_text("".join(f'set {key}="{value}"\n' for key, value in settings.items()) +
                    "set ssl_force_tls=yes use_from=yes delete=yes quit=yes sleep_time=0 confirmappend=no mark_old=no\n")
    return path


def test_neomutt_reads_flags_files_and_sends(mailstead, tmp_path):
    user = mailstead.add_account("neomutt@example.test")
    fill(mailstead, user, "neo flags", "neo files")
    rc = muttrc(mailstead, user, tmp_path)
    keys = ("<limit>~s flags<enter><flag-message><limit>~s files<enter><save-message>=Archive<enter>"
            "<limit>all<enter><sync-mailbox><quit>")
    Terminal(["neomutt", "-n", "-F", rc, "-e", f"push '{keys}'"], {"HOME": str(tmp_path)}).ends()
    assert len(uids(mailstead, user, "Archive", "SUBJECT", '"neo files"')) == 1
    assert uids(mailstead, user, "INBOX", "ALL") == uids(mailstead, user, "INBOX", "FLAGGED")
    run("neomutt", "-n", "-F", rc, "-s", "neo sends", "--", mailstead.address, stdin="body\n",
        env={"HOME": str(tmp_path), "TERM": "xterm"})
    assert mailstead.wait_for_message(subject="neo sends")


def test_aerc_reads_flags_files_and_deletes(mailstead, tmp_path):
    user = mailstead.add_account("aerc@example.test")
    fill(mailstead, user, "aerc deletes this", "aerc reads this")  # the newest is at the top
    config = tmp_path / "aerc"
    config.mkdir()
    (config / "aerc.conf").write_text("[general]\nunsafe-accounts-conf = true\n[ui]\nborder-char-vertical = |\n"
                                       "[viewer]\npager = less\n[filters]\ntext/plain = cat\n")
    (config / "accounts.conf").write_text(f"""[a]
source = imaps://{user.replace('@', '%40')}:{PASSWORD.replace(' ', '%20')}@localhost:{mailstead.imaps}
default = INBOX
from = You <{user}>
copy-to = Sent
""")
    env = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path), "SSL_CERT_FILE": str(mailstead.ca)}
    aerc = Terminal(["aerc"], env).shows("aerc reads this")
    aerc.types(":flag\r")
    wait_until(lambda: uids(mailstead, user, "INBOX", "FLAGGED"), "aerc to flag the message", interval=0.2)
    aerc.types(":view\r").shows("body-of-aerc-reads-this")
    aerc.types(":close\r:archive flat\r")
    wait_until(lambda: uids(mailstead, user, "Archive", "SEEN", "FLAGGED", "SUBJECT", "reads"), "aerc to file the message",
               interval=0.2)
    aerc.types(":delete-message\r")
    wait_until(lambda: not uids(mailstead, user, "INBOX", "ALL"), "aerc to delete the other message", interval=0.2)
    aerc.types(":quit\r").ends()
