"""Mailstead as `mailstead init` sets it up for production: /etc/mailstead, /var/lib/mailstead, and a user for each daemon."""

import grp
import os
import pathlib
import pwd
import re
import shutil
import ssl
import subprocess

from .mailstead import BIN, PASSWORD, Mailstead
from .process import Daemon, run

USERS = {"mailstead": 7710, "mailstead-imapd": 7711, "mailstead-smtpd": 7712}
CONFIG = pathlib.Path("/etc/mailstead")
DATA = pathlib.Path("/var/lib/mailstead")
PORTS = {25: 31025, 465: 31465, 587: 31587, 993: 31993, 143: 31143, 995: 31995, 110: 31110}


class Machine:
    """Folders and a user database that this run's mount namespace alone sees."""

    def __init__(self, folder: pathlib.Path):
        self.mounted, self.made = [], []
        for name, database in (("passwd", pwd.getpwall()), ("group", grp.getgrall())):
            text = pathlib.Path("/etc", name).read_text()
            assert not {entry[0] for entry in database} & set(USERS), "this machine has Mailstead's users"
            for user, number in USERS.items():
                rest = f"{number}::/nonexistent:/usr/sbin/nologin" if name == "passwd" else ""
                text += f"{user}:x:{number}:{rest}\n"
            copy = folder / name
            copy.write_text(text)
            copy.chmod(0o644)
            self.mount("--bind", copy, f"/etc/{name}")
        for place in (CONFIG, DATA):
            if not place.exists():
                place.mkdir()
                self.made.append(place)
            self.mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", place)

    def mount(self, *arguments):
        subprocess.run(["mount", *map(str, arguments)], check=True)
        self.mounted.append(arguments[-1])

    def clear(self):
        for place in (CONFIG, DATA):
            for entry in place.iterdir():
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
            os.chown(place, 0, 0)
            place.chmod(0o755)

    def restore(self):
        for place in reversed(self.mounted):
            subprocess.run(["umount", place], check=True)
        for place in self.made:
            place.rmdir()


class Production(Mailstead):
    """Listens on high ports of loopback."""

    host = "127.0.0.1"

    def __init__(self, folder: pathlib.Path, umask=0o022):
        self.folder, self.daemon = folder, None
        self.address, self.domain, self.hostname = "you@example.test", "example.test", "mail.example.test"
        self.config, self.data, self.log_file = CONFIG / "mailstead.toml", DATA, folder / "log"
        self.smtp, self.submissions, self.submission = PORTS[25], PORTS[465], PORTS[587]
        self.imap, self.imaps, self.pop3, self.pop3s = PORTS[143], PORTS[993], PORTS[110], PORTS[995]
        before = os.umask(umask)
        try:
            self.welcome = run(BIN / "mailstead", "init", self.address, "--password-stdin", stdin=PASSWORD + "\n").out
        finally:
            os.umask(before)
        self.edit(lambda text: re.sub(r'"\[::\]:(\d+)"', lambda m: f'"127.0.0.1:{PORTS[int(m[1])]}"', text))

    def tls(self):
        # Self-signed, for the machine's name.
        context = ssl.create_default_context(cafile=str(CONFIG / "tls/fullchain.pem"))
        context.check_hostname = False
        return context

    def start(self):
        self.daemon = Daemon([BIN / "mailstead", "serve"], self.log_file)
        self.daemon.wait_for_line("ready")
        return self

    def pids(self):
        """Of the daemons under `serve`, by name."""
        out = run("ps", "-o", "pid=,args=", "--ppid", self.daemon.process.pid).out
        return {match[2]: int(match[1]) for match in re.finditer(r"^\s*(\d+) \S*mailstead-(\w+)", out, re.M)}


def as_user(user, *command):
    """Runs a program as a daemon's user, in the groups that its daemon has."""
    more = {"mailstead": ["mailstead-imapd", "mailstead-smtpd"]}.get(user, ["mailstead"])
    group = USERS["mailstead-imapd" if user == "mailstead" else user]
    groups = [USERS[each] for each in more] + ([USERS["mailstead"]] if user == "mailstead" else [])
    return subprocess.run([str(part) for part in command], user=USERS[user], group=group, extra_groups=groups, cwd="/",
                          capture_output=True, check=False)


def may_open(user, path, mode):
    """Whether `user` can open the file for reading ("r") or for writing ("w"); a folder for making a file in it."""
    flags = {"r": "os.O_RDONLY", "w": "os.O_WRONLY", "t": "os.O_TMPFILE | os.O_RDWR"}[mode]
    code = f"import os, sys; os.open(sys.argv[1], {flags})"
    done = as_user(user, "/usr/bin/python3", "-c", code, path)
    assert done.returncode == 0 or b"PermissionError" in done.stderr, done.stderr.decode()
    return done.returncode == 0
