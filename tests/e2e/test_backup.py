"""A backup beside working daemons, and what comes back from it."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import threading

from lab.data_folder import PEOPLE, fill, listing
from lab.mailstead import BIN
from lab.process import run, wait_until
from test_faults import deliver_pid


def appended(subject, size=0):
    return f"From: a@example.test\r\nSubject: {subject}\r\n\r\n{subject}\r\n{'x' * size}\r\n".encode()


def backup(stack, to, *options):
    return json.loads(stack.cli("backup", to, "--format", "json", *options).out)


def restore(source, *options, check=True):
    return run(BIN / "mailstead", "restore", source, "--format", "json", *options, check=check, timeout=120)


def full_stack(own_stack):
    stack = own_stack(address=PEOPLE[0])
    stack.configure("dns", servers=["127.0.0.1:9"])
    stack.start()
    fill(stack)
    return stack


def start_restored(stack, folder):
    """The same stack, with what was restored in the place of what it had."""
    stack.stop()
    for name in ("mailstead.toml", "data"):
        path = stack.folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.move(folder / name, path)
    stack.start()


def test_a_backup_under_load_comes_back_as_it_was_at_one_moment(own_stack, tmp_path):
    stack = full_stack(own_stack)
    before = listing(stack)
    done = threading.Event()
    acknowledged = []

    def load():
        client = stack.imap_login(PEOPLE[1])
        client.create("Load")
        while not done.is_set():
            subject = f"load {len(acknowledged)}"
            assert client.append("Load", None, None, appended(subject))[0] == "OK", client
            acknowledged.append(subject)
        client.logout()

    worker = threading.Thread(target=load)
    worker.start()
    try:
        wait_until(lambda: len(acknowledged) > 10, "some load")
        sure = len(acknowledged)
        first = backup(stack, tmp_path / "backup")
        later = len(acknowledged)
    finally:
        done.set()
        worker.join()
    assert first["new_files"] == first["files"] and not first["not_readable"] and not first["damaged_indexes"]
    assert json.loads(restore(tmp_path / "backup", "--check").out) == []
    mail = pathlib.Path(first["snapshot"]) / "data" / "accounts" / "1" / "mail"
    assert any(b"number 1" in path.read_bytes() for path in mail.rglob("*mailstead,S=*")), "restorable file by file"

    restore(tmp_path / "backup", "--to", tmp_path / "new")
    start_restored(stack, tmp_path / "new")
    after = listing(stack)
    load_box = after["accounts"][PEOPLE[1]]["mailboxes"].pop('"Load"')
    assert after == before, "UIDVALIDITY, UIDs, flags, dates, bytes, queue, shares"
    assert sure <= len(load_box["messages"]) <= later + 1
    assert [message[0] for message in load_box["messages"]] == list(range(1, len(load_box["messages"]) + 1))
    # What comes now survives a crash: the journal's numbers go on from those of the backup.
    client = stack.imap_login()
    assert client.append("INBOX", None, None, appended("after"))[0] == "OK"
    client.logout()
    killed = deliver_pid(stack)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: deliver_pid(stack) not in (None, killed), "deliver to be started anew")
    assert stack.wait_for_message(subject="after").raw


def test_a_second_backup_copies_what_is_new_and_old_ones_go(own_stack, tmp_path):
    stack = full_stack(own_stack)
    first = backup(stack, tmp_path / "backup")
    client = stack.imap_login()
    assert client.append("INBOX", None, None, appended("only this one is new"))[0] == "OK"
    assert client.select("INBOX")[0] == "OK"
    assert client.uid("STORE", "1", "-FLAGS", r"(\Seen)")[0] == "OK"
    client.logout()
    second = backup(stack, tmp_path / "backup")
    new = [line for line in (pathlib.Path(second["snapshot"]) / "manifest").read_text().splitlines()
           if "/cur/" in line or "/new/" in line]
    assert len(new) > 20
    old = {path.stat().st_ino for path in pathlib.Path(first["snapshot"]).rglob("*") if path.is_file()}
    copied = [path for path in (pathlib.Path(second["snapshot"]) / "data" / "accounts").rglob("*")
              if path.is_file() and path.stat().st_ino not in old]
    messages = [path for path in copied if path.name != "data.mdb"]
    assert len(messages) == 1 and b"only this one is new" in messages[0].read_bytes()
    third = backup(stack, tmp_path / "backup", "--keep", "2")
    assert third["removed_snapshots"] == 1
    assert not pathlib.Path(first["snapshot"]).exists()
    assert json.loads(restore(tmp_path / "backup", "--check").out) == []
    assert len(json.loads(restore(tmp_path / "backup", "--list").out)) == 2


def test_a_flipped_bit_in_a_backup_is_found(own_stack, tmp_path):
    stack = full_stack(own_stack)
    snapshot = pathlib.Path(backup(stack, tmp_path / "backup")["snapshot"])
    message = next(path for path in (snapshot / "data/accounts/1/mail").rglob("*mailstead,S=*"))
    data = bytearray(message.read_bytes())
    data[len(data) // 2] ^= 1
    message.write_bytes(data)
    found = restore(tmp_path / "backup", "--check", check=False)
    assert found.returncode == 65
    assert [row["file"] for row in json.loads(found.out)] == [str(message.relative_to(snapshot))]
    manifest = snapshot / "manifest"
    text = bytearray(manifest.read_bytes())
    text[len(text) // 2] ^= 1
    manifest.write_bytes(text)
    assert restore(tmp_path / "backup", "--check", check=False).returncode == 65


def test_a_killed_backup_is_continued_and_lets_go_of_deliver(own_stack, tmp_path):
    stack = full_stack(own_stack)
    client = stack.imap_login()
    for number in range(20):
        assert client.append("Archive", None, None, appended(f"large {number}", 2_000_000))[0] == "OK"
    client.logout()
    killed = subprocess.Popen([BIN / "mailstead", "-c", stack.config, "backup", tmp_path / "backup"])
    unfinished = tmp_path / "backup" / "unfinished" / "data"
    wait_until(lambda: len(list(unfinished.rglob("*S=2000*"))) > 3, "some files", interval=0.001)
    killed.kill()
    killed.wait()
    wait_until(lambda: "event=backup.hold_ended" in stack.log(), "deliver to go on")
    again = stack.cli("backup", tmp_path / "backup")
    assert "continued" in again.out
    assert json.loads(restore(tmp_path / "backup", "--check").out) == []
    assert sorted(path.name for path in (tmp_path / "backup").iterdir()) == ["lock", "snapshots"]


def test_an_account_comes_back_into_the_running_installation(own_stack, tmp_path):
    stack = full_stack(own_stack)
    backup(stack, tmp_path / "backup")
    before = listing(stack)["accounts"][PEOPLE[0]]["mailboxes"]
    client = stack.imap_login()
    client.select("INBOX")
    assert client.uid("STORE", "1:5", "+FLAGS", r"(\Deleted)")[0] == "OK"
    assert client.expunge()[0] == "OK"
    client.close()
    assert client.delete("Archive/2026")[0] == "OK"
    client.logout()
    done = json.loads(stack.cli("restore", tmp_path / "backup", "--account", PEOPLE[0], "--format", "json").out)
    assert done["damaged_in_the_backup"] == 0

    def content(mailboxes):
        return {name: sorted([flags, date, body] for _, flags, date, body in box["messages"]) for name, box in mailboxes.items()}

    after = listing(stack)["accounts"][PEOPLE[0]]["mailboxes"]
    # \\Deleted ones which that EXPUNGE took come back as they were, too.
    assert content(after) == content(before)
    again = json.loads(stack.cli("restore", tmp_path / "backup", "--account", PEOPLE[0], "--format", "json").out)
    assert again["restored"] == 0, "nothing comes twice"
    assert stack.cli("restore", tmp_path / "backup", "--account", PEOPLE[0], "--mailbox", "Nowhere", check=False).returncode == 65


def test_what_was_expunged_comes_back_without_a_backup(own_stack):
    stack = full_stack(own_stack)
    before = listing(stack)["accounts"][PEOPLE[0]]["mailboxes"]
    client = stack.imap_login()
    client.select("INBOX")
    assert client.uid("STORE", "1,3,9", "+FLAGS", r"(\Deleted)")[0] == "OK"
    assert client.uid("EXPUNGE", "9")[0] == "OK"
    client.logout()
    kept = wait_until(lambda: stack.json("account", "undelete", PEOPLE[0], "--list"), "the file to be put aside")
    nine = [row for row in kept if row["subject"] == "number 9 ä"]
    assert len(nine) == 1 and nine[0]["mailbox"] == "INBOX" and nine[0]["from"]
    done = stack.json("account", "undelete", PEOPLE[0], "--mailbox", "INBOX", "--since", "1 hour")
    assert done["messages"] == len(kept) and done["not_readable"] == 0
    after = listing(stack)["accounts"][PEOPLE[0]]["mailboxes"]
    lost = next(message for message in before["\"INBOX\""]["messages"] if message[0] == 9)
    back = [message for message in after["\"INBOX\""]["messages"] if message[3] == lost[3]]
    assert [message[1:3] for message in back] == [lost[1:3]], "flags, keywords and date; \\Deleted is gone"
    assert stack.json("account", "undelete", PEOPLE[0], "--list") == []


def test_verify_finds_what_is_lost_and_repair_makes_the_index_anew(own_stack):
    stack = full_stack(own_stack)
    assert stack.json("verify") == []
    stack.stop()
    lost = next(path for path in (stack.folder / "data/accounts/1/mail").rglob("*mailstead,S=*")
                if b"number 31 " in path.read_bytes())
    aside = lost.read_bytes()
    lost.unlink()
    found = stack.cli("verify", "--format", "json", check=False)
    assert found.returncode == 65
    assert [row["problem"] for row in json.loads(found.out)] == ["its file is lost"]
    lost.write_bytes(aside)
    index = stack.folder / "data/accounts/1/index/data.mdb"
    index.write_bytes(index.read_bytes()[:8192])
    assert stack.cli("verify", check=False).returncode == 65
    stack.cli("verify", "--repair")
    assert stack.json("verify") == []
