"""Texts are found by the index that deliver keeps in the background, and the answers are those of the messages."""

from lab.process import wait_until


def append_many(client, words):
    """All in one command (RFC 3502)."""
    client.send(b"m APPEND INBOX")
    for n, word in enumerate(words):
        message = f"From: a@example.net\r\nSubject: number {n}\r\n\r\nThis one is about {word}.\r\n".encode()
        client.send(b" {%d+}\r\n" % len(message) + message)
    client.send(b"\r\n")
    while not (line := client.readline()).startswith(b"m "):
        assert line.startswith(b"*"), line
    assert line.startswith(b"m OK"), line


def test_what_is_indexed_is_found_without_opening_messages(mailstead):
    user = mailstead.add_account("texts@example.test")
    client = mailstead.imap_login(user)
    for _ in range(5):
        append_many(client, ["herons" if n % 10 == 3 else "otters" for n in range(50)])
    client.select("INBOX")
    by_scan = client.search(None, "BODY", "HERON")[1][0].split()
    assert len(by_scan) == 25
    account = mailstead.json("account", "show", user)["id"]
    wait_until(lambda: f"event=fulltext.indexed account={account} messages=250" in mailstead.log(), "the index to be there")
    assert client.search(None, "BODY", "heron")[1][0].split() == by_scan

    # What only the index knows, so that nobody has to look into the message.
    mail = mailstead.folder / "data" / "accounts" / str(account) / "mail"
    files = [path for path in mail.rglob("*") if path.is_file() and b"herons" in path.read_bytes()]
    assert len(files) == 25
    for path in files:
        path.unlink()
    assert client.search(None, "BODY", "heron")[1][0].split() == by_scan
    assert client.search(None, "TEXT", "kingfisher")[1][0] == b""
    client.logout()


def test_what_is_not_indexed_yet_is_found_as_well(mailstead):
    user = mailstead.add_account("fresh@example.test")
    mailstead.receive("a@remote.test", [user], "From: A <a@remote.test>\r\nSubject: fresh\r\n\r\nabout kingfishers\r\n")
    mailstead.wait_for_message(user=user, subject="fresh")
    client = mailstead.imap_login(user)
    client.select("INBOX")
    assert client.search(None, "BODY", "ingfish")[1][0] == b"1"
    client.logout()
