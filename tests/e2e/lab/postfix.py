"""Somebody else's mail server: a private Postfix with an OpenDKIM that verifies what arrives."""

import pathlib
import pwd

from .process import Daemon, accepts, run, wait_until


class Postfix:
    """Takes mail for remote.test on 127.0.0.2:25 into Maildirs and sends through the MX records it finds."""

    address = "127.0.0.2"
    domain = "remote.test"
    hostname = "mx.remote.test"

    def __init__(self, folder: pathlib.Path, transport=()):
        self.folder = folder
        self.etc = folder / "etc"
        self.mail = folder / "mail"
        self.dkim = None
        for path in (self.etc, folder / "spool", folder / "data", self.mail):
            path.mkdir(parents=True)
        folder.chmod(0o755)
        owner = pwd.getpwnam("postfix")
        (folder / "data").chmod(0o700)
        import os
        os.chown(folder / "data", owner.pw_uid, owner.pw_gid)
        os.chown(self.mail, owner.pw_uid, owner.pw_gid)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", f"/CN={self.hostname}", "-addext", f"subjectAltName=DNS:{self.hostname}", "-keyout",
            self.etc / "key.pem", "-out", self.etc / "cert.pem")
        transports = " ".join(f"{{{rule}}}" for rule in transport)
        (self.etc / "main.cf").write_text(f"""compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
myhostname = {self.hostname}
mydestination =
mynetworks = 127.0.0.2/32
inet_interfaces = {self.address}
inet_protocols = ipv4
smtp_bind_address = {self.address}
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = {self.domain}
virtual_mailbox_base = {self.mail}
virtual_mailbox_maps = inline:{{ {{friend@{self.domain} = friend/}} {{other@{self.domain} = other/}} }}
virtual_uid_maps = static:{owner.pw_uid}
virtual_gid_maps = static:{owner.pw_gid}
virtual_minimum_uid = 1
virtual_transport = virtual
transport_maps = inline:{{ {transports} }}
smtpd_tls_security_level = may
smtpd_tls_cert_file = {self.etc}/cert.pem
smtpd_tls_key_file = {self.etc}/key.pem
smtpd_tls_received_header = yes
smtpd_milters = inet:127.0.0.2:8891
milter_default_action = accept
milter_connect_timeout = 5s
smtp_tls_security_level = may
smtputf8_enable = yes
in_flow_delay = 0
minimal_backoff_time = 1s
queue_run_delay = 1s
""")
        master = pathlib.Path("/etc/postfix/master.cf")
        source = master if master.exists() else pathlib.Path("/usr/share/postfix/master.cf.dist")
        lines = []
        for line in source.read_text().splitlines():
            fields = line.split()
            if line[:1].isalnum() and len(fields) >= 8:
                fields[4] = "n"  # no chroot: the folder holds no copies of system files
                if fields[0] == "smtp" and fields[1] == "inet":
                    fields[0] = "25"
                line = " ".join(fields)
            lines.append(line)
        if not any(line.startswith("postlog ") for line in lines):
            lines.append("postlog unix-dgram n - n - 1 postlogd")
        (self.etc / "master.cf").write_text("\n".join(lines) + "\n")

    def verify_dkim_with(self, keys):
        """Starts OpenDKIM as the milter, with the key records {name: value} as its DNS."""
        data = self.folder / "dkim-dns"
        data.write_text("".join(f"{name} {value}\n" for name, value in keys.items()))
        config = self.folder / "opendkim.conf"
        config.write_text(f"""Mode v
Socket inet:8891@127.0.0.2
TestDNSData {data}
AuthservID {self.hostname}
AlwaysAddARHeader yes
UserID root
RequireSafeKeys no
InternalHosts 192.0.2.255
PidFile {self.folder}/opendkim.pid
""")
        self.dkim = Daemon(["opendkim", "-f", "-x", config], self.folder / "opendkim.log")
        wait_until(lambda: accepts(self.address, 8891), "opendkim to listen")

    def start(self):
        run("postfix", "-c", self.etc, "start", timeout=60)
        wait_until(lambda: accepts(self.address, 25), "postfix to listen")
        return self

    def stop(self):
        run("postfix", "-c", self.etc, "stop", check=False)
        if self.dkim:
            self.dkim.stop()

    def send(self, sender, recipient, text):
        run("sendmail", "-C", self.etc, "-f", sender, recipient, stdin=text, env={"MAIL_CONFIG": str(self.etc)})

    def log(self):
        path = self.folder / "maillog"
        return path.read_text(errors="replace") if path.exists() else ""

    def messages(self, user):
        new = self.mail / user / "new"
        return [path.read_bytes() for path in sorted(new.iterdir())] if new.exists() else []

    def wait_for_message(self, user, containing=b"", deadline=30):
        def found():
            return next((raw for raw in self.messages(user) if containing in raw), None)
        try:
            return wait_until(found, f"mail for {user} at Postfix", deadline)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()[-3000:]}") from None
