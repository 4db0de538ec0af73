"""A user for each daemon: who may open what, that all works all the same, and what root does in folders that are others'."""

import os
import pathlib
import shutil
import signal
import stat

import pytest

from lab.mailstead import BIN, PASSWORD
from lab.process import run, wait_until
from lab.production import CONFIG, DATA, USERS, Machine, Production, as_user, may_open

MESSAGE = "From: a@remote.test\r\nTo: you@example.test\r\nSubject: {0}\r\n\r\nHello\r\n"
NAMES = {"deliver": "mailstead", "imapd": "mailstead-imapd", "smtpd": "mailstead-smtpd"}


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("machine")
    machine = Machine(folder)
    yield machine
    machine.restore()


@pytest.fixture
def production(machine, tmp_path):
    stacks = []

    def make(**options):
        stacks.append(Production(tmp_path, **options))
        return stacks[-1]

    yield make
    for stack in stacks:
        stack.stop()
    machine.clear()


def everything_below(folder):
    return [path for path in pathlib.Path(folder).rglob("*") if not path.is_symlink()]


def status_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def message_files(account=1):
    return [path for part in ("new", "cur") for path in (DATA / f"accounts/{account}/mail").rglob(f"{part}/*")]


def works(stack, subject):
    stack.receive("a@remote.test", [stack.address], MESSAGE.format(subject))
    assert stack.wait_for_message(subject=subject)["Subject"] == subject


def test_the_daemons_run_as_users_of_their_own_and_all_works(production):
    stack = production().start()
    pids = stack.pids()
    assert set(pids) == set(NAMES)
    for name, pid in pids.items():
        status = status_of(pid)
        assert set(status["Uid"].split()) == {str(USERS[NAMES[name]])}, name
        assert "0" not in status["Groups"].split() and set(status["Gid"].split()) != {"0"}, name
        assert int(status["CapEff"], 16) == 0, name

    works(stack, "by smtp")
    stack.submit(stack.address, [stack.address], MESSAGE.format("submitted").replace("a@remote.test", stack.address))
    stack.wait_for_message(subject="submitted")
    client = stack.imap_login()
    assert client.append("INBOX", "(\\Seen)", None, MESSAGE.format("appended").encode())[0] == "OK"
    assert client.append("INBOX", None, None, MESSAGE.format("large").encode() + b"x" * 400_000)[0] == "OK"
    assert client.create("Kept")[0] == "OK"
    client.select("INBOX")
    assert client.store("1", "+FLAGS", "(\\Flagged)")[0] == "OK"
    assert client.copy("1:*", "Kept")[0] == "OK"
    assert client.select("Kept")[1] == [b"4"]
    assert len(client.fetch("4", "(BODY.PEEK[])")[1][0][1]) > 400_000
    client.logout()
    assert stack.pop3_login().stat()[0] == 4

    stack.add_account("friend@example.test")
    stack.receive("a@remote.test", ["friend@example.test", stack.address], MESSAGE.format("for two"))
    stack.wait_for_message("friend@example.test", subject="for two")
    stack.cli("account", "passwd", "friend@example.test", "--password-stdin", stdin="another password 7\n")
    stack.imap_login("friend@example.test", "another password 7").logout()
    stack.cli("account", "remove", "friend@example.test")
    stack.stop()
    works(stack.start(), "after a restart")

    for path in everything_below(DATA):
        info = path.stat()
        if path.parent.parent != DATA / "run":  # where the daemons put sockets of their own
            assert info.st_uid == USERS["mailstead"], path
        assert info.st_mode & stat.S_IRWXO == 0, f"{path} {oct(info.st_mode)}"


def test_a_taken_over_daemon_reads_and_writes_what_it_needs_and_no_more(production):
    stack = production().start()
    works(stack, "secret")
    message = message_files()[0]
    index, directory = DATA / "accounts/1/index", DATA / "directory"
    for closed in ("credentials/data.mdb", "credentials/lock.mdb", "queue/data.mdb", "ledger/data.mdb"):
        for user in ("mailstead-smtpd", "mailstead-imapd"):
            assert not may_open(user, DATA / closed, "r"), (user, closed)
    for folder in ("spool", "journal", "queue", "accounts/1/mail", ""):
        for user in ("mailstead-smtpd", "mailstead-imapd"):
            assert not may_open(user, DATA / folder, "t"), (user, folder)
    for user, mailboxes in (("mailstead-smtpd", False), ("mailstead-imapd", True)):
        for path in (message, index / "data.mdb", index / "lock.mdb", DATA / "shares/data.mdb"):
            assert may_open(user, path, "r") == mailboxes, (user, path)
        assert may_open(user, index / "lock.mdb", "w") == mailboxes
        assert may_open(user, DATA / "journal/control", "r") == mailboxes
        assert not any(may_open(user, segment, "r") for segment in (DATA / "journal").glob("segment-*"))
        assert may_open(user, directory / "data.mdb", "r") and may_open(user, directory / "lock.mdb", "w")
        for path in (message, index / "data.mdb", directory / "data.mdb", DATA / "shares/data.mdb"):
            assert not may_open(user, path, "w"), (user, path)
        assert may_open(user, DATA / "incoming", "t")
        assert may_open(user, CONFIG / "tls/key.pem", "r") and not may_open(user, CONFIG / "tls/key.pem", "w")


def test_keys_in_memory_are_for_no_core_file_and_no_other_process(production):
    stack = production().start()
    for name, pid in stack.pids().items():
        assert os.stat(f"/proc/{pid}/mem").st_uid == 0, f"{name} is dumpable"
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert core.split()[4:6] == ["0", "0"], core
        done = as_user(NAMES[name], "/usr/bin/python3", "-c", f"open('/proc/{pid}/mem', 'rb')")
        assert b"PermissionError" in done.stderr


@pytest.mark.parametrize("place", ["directory/lock.mdb", "directory/data.mdb", "credentials/lock.mdb"])
def test_root_overwrites_nothing_through_a_link_in_the_data_folder(production, tmp_path, place):
    stack = production()
    secret = tmp_path / "secret"
    secret.write_bytes(b"root's alone\n" * 100)
    secret.chmod(0o600)
    before = secret.read_bytes(), secret.stat()
    link = DATA / place
    link.rename(link.with_suffix(".aside"))
    link.symlink_to(secret)
    os.lchown(link, USERS["mailstead"], USERS["mailstead"])
    for command in (("account", "list"), ("account", "add", "x@example.test", "--password-stdin"),
                    ("dns", "records", "example.test")):
        done = stack.cli(*command, stdin=PASSWORD + "\n", check=False)
        assert "root's alone" not in done.out + done.err
    assert done.returncode != 0 and "is no file" in done.err, done.err
    after = secret.read_bytes(), secret.stat()
    assert after[0] == before[0]
    assert (after[1].st_uid, after[1].st_gid, after[1].st_mode) == (before[1].st_uid, before[1].st_gid, before[1].st_mode)


def test_a_folder_that_became_a_link_is_refused_with_a_sentence(production):
    stack = production()
    (DATA / "directory").rename(DATA / "elsewhere")
    (DATA / "directory").symlink_to("elsewhere")
    done = stack.cli("account", "list", check=False)
    assert done.returncode != 0 and "symbolic link" in done.err, done.err


def test_what_root_makes_in_the_data_folder_is_its_owners(production):
    stack = production()
    for folder in ("directory", "credentials"):
        (DATA / folder / "lock.mdb").unlink()
    stack.cli("account", "list")
    stack.add_account("friend@example.test")
    for path in everything_below(DATA):
        assert path.stat().st_uid == USERS["mailstead"], path
    works(stack.start(), "after a restore")


def test_an_installation_of_one_user_moves_over_by_itself(production):
    stack = production().start()
    works(stack, "old mail")
    stack.stop()
    # As versions with one user left it.
    for path in [DATA, *everything_below(DATA)]:
        os.chown(path, USERS["mailstead"], USERS["mailstead"])
        path.chmod(0o700 if path.is_dir() else 0o600)
    for folder in ("incoming", "run"):
        shutil.rmtree(DATA / folder)
    (DATA / "accounts/1/index/lock.mdb").unlink()
    (DATA / "accounts/1/index/lock.mdb").touch(0o600)  # root's: a command of root read an account without one
    stack.start()
    assert "event=data.arranged" in stack.log()
    assert stack.wait_for_message(subject="old mail")
    works(stack, "new mail")
    assert may_open("mailstead-imapd", message_files()[0], "r")
    stack.stop()
    stack.log_file.write_text("")
    stack.start()
    assert "data.arranged" not in stack.log(), "the second start had nothing to do"
    assert stack.wait_for_message(subject="new mail")


def test_a_file_of_somebody_else_is_named_and_stops_nobody(production):
    stack = production().start()
    works(stack, "mine")
    stack.stop()
    foreign = message_files()[0].with_name("foreign")
    foreign.write_text("x")
    os.chmod(DATA / "accounts/1", 0o700)  # looked through again
    stack.start()
    assert "event=data.foreign" in stack.log() and "accounts/1/mail/" in stack.log()
    assert foreign.stat().st_uid == 0
    works(stack, "all the same")


@pytest.mark.parametrize("umask", [0o077, 0o027, 0o000])
def test_init_sets_modes_itself(production, umask):
    stack = production(umask=umask)
    for path in (CONFIG / "tls", CONFIG / "tls/fullchain.pem", CONFIG / "mailstead.toml"):
        assert path.stat().st_mode & 0o022 == 0 and path.stat().st_mode & 0o004, path
    key = (CONFIG / "tls/key.pem").stat()
    assert (key.st_uid, key.st_gid, key.st_mode & 0o777) == (0, USERS["mailstead"], 0o640)
    assert (DATA.stat().st_uid, DATA.stat().st_mode & 0o7777) == (USERS["mailstead"], 0o710)
    for path in everything_below(DATA):
        assert path.stat().st_mode & stat.S_IRWXO == 0, f"{path} {oct(path.stat().st_mode)}"
    works(stack.start(), "under any umask")


def test_init_says_which_file_a_daemon_cannot_read(machine, tmp_path):
    try:
        (CONFIG / "tls").mkdir(0o700)
        done = run(BIN / "mailstead", "init", "you@example.test", "--password-stdin", stdin=PASSWORD + "\n", check=False)
        assert done.returncode == 77, done.err
        assert "mailstead-imapd" in done.err and "fullchain.pem" in done.err and "chmod 755" in done.err
        assert not (CONFIG / "mailstead.toml").exists()
        (CONFIG / "tls").chmod(0o755)
        assert run(BIN / "mailstead", "init", "you@example.test", "--password-stdin", stdin=PASSWORD + "\n").returncode == 0
    finally:
        machine.clear()


def test_one_log_file_for_three_users_follows_rotation(production, tmp_path):
    stack = production()
    logs = DATA.parent / "mailstead-logs"
    logs.mkdir(exist_ok=True)
    try:
        os.chown(logs, USERS["mailstead"], USERS["mailstead"])
        logs.chmod(0o1770)
        stack.configure("log", file=str(logs / "mail.log"))
        stack.start()
        said = (logs / "mail.log").read_text()
        assert all(f" {name} event=daemon.ready" in said for name in NAMES)
        (logs / "mail.log").rename(logs / "mail.log.1")
        stack.daemon.process.send_signal(signal.SIGHUP)

        def all_moved():
            path = logs / "mail.log"
            return path.exists() and all(f" {name} event=daemon.reload" in path.read_text() for name in NAMES)
        wait_until(all_moved, "each daemon to write into the new file")
        stack.stop()
        (logs / "mail.log").unlink()
        (logs / "mail.log").symlink_to(tmp_path / "victim")
        done = run(BIN / "mailstead", "serve", check=False)
        assert done.returncode == 78 and "symbolic link" in done.err
        assert not (tmp_path / "victim").exists()
    finally:
        shutil.rmtree(logs)


def test_renewed_keys_are_read_without_root(production):
    stack = production().start()
    key = CONFIG / "tls/key.pem"
    fresh = key.with_suffix(".new")
    shutil.copy(key, fresh)
    os.chown(fresh, 0, USERS["mailstead"])
    fresh.chmod(0o640)
    fresh.rename(key)
    stack.daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: stack.log().count("event=daemon.reload") >= 3, "all to read again")
    works(stack, "after renewal")
    assert "tls.problem" not in stack.log()
