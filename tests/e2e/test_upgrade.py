"""Data folders of every format that ever was are opened by this version, and hold what they held."""

import json
import pathlib
import shutil
import subprocess

import pytest

from lab.data_folder import listing

FORMATS = pathlib.Path(__file__).parent.parent / "data" / "format"
FIXTURES = sorted(FORMATS.glob("*/*.tar.xz"))


@pytest.mark.parametrize("archive", FIXTURES, ids=lambda path: f"{path.parent.name}-{path.name.split('.')[0]}")
def test_a_data_folder_of_an_older_version_is_opened_and_holds_what_it_held(own_stack, archive):
    stack = own_stack(address="you@example.test")
    stack.configure("dns", servers=["127.0.0.1:9"])
    shutil.rmtree(stack.folder / "data")
    subprocess.run(["tar", "-x", "-f", archive, "-C", stack.folder], check=True)
    stack.start()
    expected = json.loads((archive.parent / archive.name.replace(".tar.xz", ".json")).read_text())
    assert listing(stack) == expected
    # And again, after what was migrated was written and the daemons stopped.
    stack.stop()
    stack.start()
    assert listing(stack) == expected
    client = stack.imap_login()
    assert client.append("INBOX", None, None, b"Subject: new\r\n\r\nnew\r\n")[0] == "OK"
    client.logout()
    assert stack.wait_for_message(subject="new").raw
    assert (stack.folder / "data" / "format").read_text().startswith("format ")
    # And back: what was there is there byte by byte, and the new message waits to be taken in.
    stack.stop()
    assert "1 messages that came since" in stack.cli("rollback", "--lose-queued").out
    assert not (stack.folder / "data" / "format").exists()
    taken = [path for path in (stack.folder / "data/accounts/1/mail/new").iterdir() if path.name.endswith(".since")]
    assert [path.read_bytes() for path in taken] == [b"Subject: new\r\n\r\nnew\r\n"]
