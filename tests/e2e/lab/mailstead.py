"""A whole Mailstead in a folder, as `mailstead init --local` makes it."""

import email
import imaplib
import json
import os
import pathlib
import poplib
import re
import smtplib
import ssl

from .process import Daemon, run

BIN = pathlib.Path(os.environ.get("MAILSTEAD_BIN", "build/release/bin"))
PASSWORD = "correct horse battery staple"


class Mailstead:
    """Ports are those of `init --local`; the network namespace of the run is ours alone."""

    host = "127.0.0.1"

    def __init__(self, folder: pathlib.Path, address="you@example.test", shift=0):
        self.folder = folder
        self.address = address
        self.domain = address.split("@")[1]
        self.hostname = f"mail.{self.domain}"
        self.config = folder / "mailstead.toml"
        self.ca = folder / "ca.pem"
        self.log_file = folder / "log"
        self.daemon = None
        self.welcome = run(BIN / "mailstead", "init", address, "--dir", folder, "--hostname", self.hostname, "--local",
                           "--password-stdin", stdin=PASSWORD + "\n").out
        self.smtp, self.submissions, self.submission = 2525 + shift, 2465 + shift, 2587 + shift
        self.imap, self.imaps = 2143 + shift, 2993 + shift
        self.pop3, self.pop3s = 2110 + shift, 2995 + shift
        if shift:
            self.edit(lambda text: re.sub(r"(127\.0\.0\.1:)(2\d{3})\b", lambda m: m[1] + str(int(m[2]) + shift), text))

    def edit(self, change):
        self.config.write_text(change(self.config.read_text()))

    def cli(self, *arguments, stdin=None, check=True):
        return run(BIN / "mailstead", "-c", self.config, *arguments, stdin=stdin, check=check)

    def json(self, *arguments):
        return json.loads(self.cli(*arguments, "--format", "json").out)

    def configure(self, section, **values):
        """Sets keys in a table of mailstead.toml."""
        text = self.config.read_text()
        for key, value in values.items():
            line = f"{key} = {json.dumps(value)}"
            header = re.search(rf"^\[{re.escape(section)}\]\s*$", text, re.M) if section else None
            if section and not header:
                text += f"\n[{section}]\n{line}\n"
                continue
            start = header.end() if header else 0
            following = re.search(r"^\[", text[start:], re.M)
            end = start + following.start() if following else len(text)
            body = re.sub(rf"^{re.escape(key)}\s*=.*\n?", "", text[start:end], flags=re.M)
            text = text[:start] + ("\n" if header else "") + line + "\n" + body.lstrip("\n") + text[end:]
        self.config.write_text(text)

    def start(self):
        self.daemon = Daemon([BIN / "mailstead", "-c", self.config, "serve"], self.log_file)
        self.daemon.wait_for_line("ready")
        return self

    def stop(self):
        if self.daemon:
            daemon, self.daemon = self.daemon, None
            daemon.stop()
        # Of a build with sanitizers. The sandbox hides the program from them: addr2line turns offsets into lines.
        reports = re.findall(r"^.*(?:Sanitizer: |runtime error: ).*$", self.log(), re.M) if self.log_file.exists() else []
        assert not reports, "\n".join(reports)

    def children(self):
        """The daemons under `serve` by name."""
        out = run("ps", "-o", "pid=,comm=", "--ppid", self.daemon.process.pid, check=False).out
        return {name: int(pid) for pid, name in (line.split(None, 1) for line in out.splitlines() if line.strip())}

    def log(self):
        return self.log_file.read_text(errors="replace")

    def add_account(self, address, password=PASSWORD):
        self.cli("account", "add", address, "--password-stdin", stdin=password + "\n")
        return address

    def tls(self):
        context = ssl.create_default_context(cafile=str(self.ca))
        return context

    def imap_login(self, user=None, password=PASSWORD):
        client = imaplib.IMAP4_SSL("localhost", self.imaps, ssl_context=self.tls(), timeout=30)
        client.login(user or self.address, password)
        return client

    def pop3_login(self, user=None, password=PASSWORD):
        client = poplib.POP3_SSL("localhost", self.pop3s, context=self.tls(), timeout=30)
        client.user(user or self.address)
        client.pass_(password)
        return client

    def submit(self, sender, recipients, message, password=PASSWORD, **options):
        with smtplib.SMTP_SSL("localhost", self.submissions, context=self.tls(), timeout=30) as client:
            client.login(sender, password)
            return client.sendmail(sender, recipients, message, **options)

    def receive(self, sender, recipients, message, **options):
        """Hands a message in on port 25's listener, as a stranger does."""
        with smtplib.SMTP(self.host, self.smtp, local_hostname="stranger.test", timeout=30) as client:
            return client.sendmail(sender, recipients, message, **options)

    def wait_for_message(self, user=None, mailbox="INBOX", subject=None, deadline=30, password=PASSWORD):
        """Waits by IDLE-less NOOPs until a message (with that subject) is in the mailbox; returns it parsed."""
        from .process import wait_until
        client = self.imap_login(user, password)

        def found():
            status, _ = client.select(mailbox, readonly=True)
            assert status == "OK"
            criteria = ("SUBJECT", json.dumps(subject)) if subject else ("ALL",)
            numbers = client.search(None, *criteria)[1][0].split()
            return numbers and client.fetch(numbers[-1], "(BODY.PEEK[])")[1][0][1]

        try:
            raw = wait_until(found, f"mail {subject!r} in {mailbox}", deadline)
        finally:
            client.logout()
        message = email.message_from_bytes(raw)
        message.raw = raw
        return message
