"""Claws Mail, with its own windows under a virtual display: it fetches what comes, shows it, writes to itself and keeps a copy.
It is configured by its files and driven by its options; one key is pressed, to send."""

import base64
import hashlib
import os
import pathlib
import shutil
import subprocess

import pytest

from lab.mailstead import PASSWORD
from lab.process import Daemon, run, wait_until

pytestmark = pytest.mark.skipif(not shutil.which("claws-mail"), reason="claws-mail is not installed")
PICTURES = os.environ.get("MAILSTEAD_PICTURES")
DISPLAY = ":72"
ROUNDS = 1000


def sealed(password, salt):
    """As Claws Mail keeps passwords without a passphrase: a block of noise and the text, padded to 128 bytes, under
    AES with a key that everybody can derive."""
    key = hashlib.pbkdf2_hmac("sha1", b"passkey0", salt, ROUNDS, 32)
    text = password.encode()
    plain = os.urandom(16) + text + bytes(-len(text) % 128)
    done = subprocess.run(["openssl", "enc", "-aes-256-cbc", "-nopad", "-K", key.hex(), "-iv", os.urandom(16).hex()],
                          input=plain, capture_output=True, check=True)
    return f"{{AES-256-CBC,{ROUNDS}}}{base64.b64encode(done.stdout).decode()}"


def account(stack):
    tls = 1
    return {
        "account_name": "lab", "is_default": 1, "name": "You", "address": stack.address, "protocol": 3,
        "receive_server": "localhost", "smtp_server": "localhost", "user_id": stack.address, "use_smtp_auth": 1,
        "ssl_imap": tls, "set_imapport": 1, "imap_port": stack.imaps,
        "ssl_smtp": tls, "set_smtpport": 1, "smtp_port": stack.submissions,
        "ssl_certs_auto_accept": 1,  # valid ones, without asking
        "receive_at_get_all": 1, "set_sent_folder": 1, "sent_folder": "#imap/lab/Sent",
    }


FOLDERS = """<?xml version="1.0" encoding="UTF-8"?>
<folderlist>
    <folder type="mh" name="Mailbox" path="Mail">
        <folderitem type="inbox" name="inbox" path="inbox" />
        <folderitem type="outbox" name="sent" path="sent" />
        <folderitem type="draft" name="draft" path="draft" />
        <folderitem type="queue" name="queue" path="queue" />
        <folderitem type="trash" name="trash" path="trash" />
    </folder>
    <folder type="imap" name="lab" account_id="1">
        <folderitem type="inbox" name="INBOX" path="INBOX" />
        <folderitem type="outbox" name="Sent" path="Sent" />
    </folder>
</folderlist>
"""


def settings(**values):
    return "".join(f"{key}={value}\n" for key, value in values.items())


def configure(home, stack):
    folder = home / ".claws-mail"
    folder.mkdir()
    for name in ("inbox", "sent", "draft", "queue", "trash"):
        (home / "Mail" / name).mkdir(parents=True)
    salt = os.urandom(64)
    (folder / "folderlist.xml").write_text(FOLDERS)
    (folder / "accountrc").write_text("[Account: 1]\n" + settings(**account(stack)))
    secret = sealed(PASSWORD, salt)
    (folder / "passwordstorerc").write_text(f"[account:1]\nrecv {secret}\nsend {secret}\n")
    (folder / "clawsrc").write_text("[Common]\n" + settings(
        master_passphrase_salt=base64.b64encode(salt).decode(), master_passphrase_pbkdf2_rounds=ROUNDS,
        use_master_passphrase=0, check_on_startup=0, autochk_newmail=0, confirm_on_exit=0, mark_as_read_delay=0,
        mark_as_read_on_new_window=0, always_show_message_when_selected=1, open_selected_on_folder_open=1,
        warn_dnd=0, no_recv_err_panel=1, enable_aspell=0, expand_thread=1, unsafe_ssl_certs=0))


class Claws:
    def __init__(self, home, stack):
        self.home = home
        self.environment = {**os.environ, "HOME": str(home), "DISPLAY": DISPLAY, "LANG": "C.UTF-8", "TZ": "UTC",
                            "XDG_RUNTIME_DIR": str(home), "NO_AT_BRIDGE": "1", "SSL_CERT_FILE": str(stack.ca)}
        self.display = Daemon(["Xvfb", DISPLAY, "-screen", "0", "1280x900x24", "-nolisten", "tcp"], home / "display.log")
        wait_until(lambda: pathlib.Path("/tmp/.X11-unix/X" + DISPLAY[1:]).exists(), "the display")
        self.program = Daemon(["claws-mail"], home / "claws.log", env=self.environment)
        self.window("Claws Mail")

    def tell(self, *options):
        """Has the running program do something, as a second start of it does."""
        run("claws-mail", *options, env=self.environment)

    def window(self, name):
        """Waits for a window; its number."""
        found = run("xdotool", "search", "--sync", "--onlyvisible", "--name", name, env=self.environment).out.split()
        return found[-1]

    def press(self, window, *keys):
        run("xdotool", "windowfocus", "--sync", window, "key", *keys, env=self.environment)

    def cached(self, mailbox, text):
        """Whether a message with that text is among those that it keeps of a mailbox."""
        folder = self.home / ".claws-mail" / "imapcache" / "localhost"
        return any(text in path.read_text(errors="replace") for path in folder.rglob(f"{mailbox}/*") if path.name.isdigit())

    def stop(self):
        if PICTURES:
            subprocess.run(["import", "-display", DISPLAY, "-window", "root", str(pathlib.Path(PICTURES) / "claws.png")],
                           check=False)
        self.program.stop()
        self.display.stop()


@pytest.fixture(scope="module")
def claws(mailstead, tmp_path_factory):
    home = tmp_path_factory.mktemp("claws")
    configure(home, mailstead)
    program = Claws(home, mailstead)
    yield program
    program.stop()


def found(mailstead, mailbox, *criteria):
    client = mailstead.imap_login()
    try:
        return client.select(mailbox, readonly=True)[0] == "OK" and client.uid("search", None, *criteria)[1][0].split()
    finally:
        client.logout()


def test_new_mail_is_fetched_and_shown(claws, mailstead):
    mailstead.receive("a@remote.test", [mailstead.address],
                      f"From: A <a@remote.test>\r\nTo: {mailstead.address}\r\nSubject: to the claws\r\n\r\ntext to the claws\r\n")
    uid = wait_until(lambda: found(mailstead, "INBOX", "SUBJECT", '"to the claws"'), "the message", interval=0.2)[-1].decode()
    claws.tell("--receive-all")
    claws.tell("--select", f"#imap/lab/INBOX/{uid}")
    wait_until(lambda: claws.cached("INBOX", "text to the claws"), "the fetched message", interval=0.2)
    wait_until(lambda: found(mailstead, "INBOX", "SEEN", "UID", uid), "\\Seen on the server", interval=0.2)


def test_a_letter_to_itself_is_sent_and_kept(claws, mailstead):
    letter = claws.home / "letter"
    letter.write_text(f"To: {mailstead.address}\nSubject: from the claws\n\nA letter.\n")
    claws.tell("--compose-from-file", letter)
    claws.press(claws.window("from the claws - Compose message"), "ctrl+Return")
    arrived = mailstead.wait_for_message(subject="from the claws")
    assert "A letter." in arrived.get_payload()
    wait_until(lambda: found(mailstead, "Sent", "SEEN", "SUBJECT", '"from the claws"'), "the copy in Sent", interval=0.2)
    claws.tell("--receive-all")
    uid = found(mailstead, "INBOX", "SUBJECT", '"from the claws"')[-1].decode()
    claws.tell("--select", f"#imap/lab/INBOX/{uid}")
    wait_until(lambda: claws.cached("INBOX", "A letter."), "its own letter", interval=0.2)
