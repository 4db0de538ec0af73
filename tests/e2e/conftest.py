"""Fixtures: each gives a running server and ends it."""

import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from lab.dns import Dns  # noqa: E402
from lab.mailstead import Mailstead  # noqa: E402
from lab.postfix import Postfix  # noqa: E402

# Programs with windows want a virtual display and many packages: `scripts/test desktop` runs them.
collect_ignore = [] if os.environ.get("MAILSTEAD_DESKTOP") else ["desktop"]


def pytest_terminal_summary(terminalreporter):
    stats = terminalreporter.stats
    passed, failed = len(stats.get("passed", [])), len(stats.get("failed", [])) + len(stats.get("error", []))
    terminalreporter.write_line(f"e2e: {passed} passed, {failed} failed")


@pytest.fixture(scope="session", autouse=True)
def network(tmp_path_factory):
    """Loopback up, and a resolv.conf that names the test's DNS server, in this run's own namespaces."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", "127.0.0.2/8", "dev", "lo"], check=True)  # the foreign server's
    resolv = tmp_path_factory.mktemp("net") / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:2\n")
    resolv.chmod(0o644)
    subprocess.run(["mount", "--bind", resolv, "/etc/resolv.conf"], check=True)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder that other users (Postfix's) can enter."""
    path = tmp_path_factory.mktemp("lab")
    for part in (path, *path.parents):
        if part == pathlib.Path("/tmp"):
            break
        part.chmod(0o755)
    return path


@pytest.fixture(scope="session")
def dns(folder):
    server = Dns(folder / "dns")
    server.mx("remote.test", "mx.remote.test")
    server.a("mx.remote.test", "127.0.0.2")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def mailstead(folder, dns):
    """The stack that most tests share, with its DNS records published and a second account."""
    stack = Mailstead(folder / "mailstead")
    stack.configure("dns", servers=["127.0.0.1:53"])
    stack.configure("relay", port=25)
    stack.add_account("friend@example.test")
    dns.publish_json(stack.json("dns", "records", stack.domain))
    dns.a(stack.hostname, "127.0.0.1")
    dns.restart()
    stack.start()
    yield stack
    stack.stop()


@pytest.fixture(scope="session")
def postfix(folder, dns, mailstead):
    server = Postfix(folder / "postfix", transport=[f"{mailstead.domain} = smtp:{mailstead.domain}:{mailstead.smtp}"])
    records = mailstead.json("dns", "records", mailstead.domain)
    server.verify_dkim_with({r["name"].rstrip("."): r["value"] for r in records if "_domainkey" in r["name"]})
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_stack(folder, tmp_path_factory, request):
    """Makes stacks of the test's own, for tests that break them, on ports of their own."""
    stacks = []
    disks = []

    def make(disk=None, **options):
        """`disk`: the size of a small file system of its own, `400m`."""
        path = tmp_path_factory.mktemp("own")
        if disk:
            subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={disk}", "tmpfs", path], check=True)
            disks.append(path)
        stack = Mailstead(path, shift=10000 * (len(stacks) + 1), **options)
        stacks.append(stack)
        return stack

    yield make
    for stack in stacks:
        stack.stop()
    for path in disks:
        subprocess.run(["umount", path], check=True)
