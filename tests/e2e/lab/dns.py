"""A real DNS server (dnsmasq) for the zones of the tests."""

import pathlib

from .process import Daemon, accepts, wait_until


class Dns:
    """Answers on 127.0.0.1:53 of the test's network namespace; `publish` adds records and restarts it."""

    address = "127.0.0.1"
    port = 53

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lines = []
        self.daemon = None

    def mx(self, domain, host, preference=10):
        self.lines.append(f"mx-host={domain},{host},{preference}")

    def a(self, host, address):
        self.lines.append(f"address=/{host}/{address}" if ":" in address else f"host-record={host},{address}")

    def txt(self, name, value):
        pieces = [value[i:i + 255] for i in range(0, len(value), 255)]
        quoted = ",".join('"' + piece.replace('"', '\\"') + '"' for piece in pieces)
        self.lines.append(f"txt-record={name},{quoted}")

    def publish_json(self, records):
        """Publishes what `mailstead dns records --format json` printed."""
        for record in records:
            kind, name, value = record["type"], record["name"].rstrip("."), record["value"]
            if kind == "TXT":
                self.txt(name, value)
            elif kind == "MX":
                preference, host = value.split()
                self.mx(name, host.rstrip("."), int(preference))
            elif kind == "A":
                self.a(name, value)

    def start(self):
        config = self.folder / "dnsmasq.conf"
        config.write_text("\n".join(["no-resolv", "no-hosts", "no-daemon", "bind-interfaces", "listen-address=127.0.0.1",
                                     f"port={self.port}", "local=/test/", "local=/example/", "user=root",
                                     f"pid-file={self.folder}/pid"] + self.lines) + "\n")
        self.daemon = Daemon(["dnsmasq", "-C", config], self.folder / "log")
        wait_until(lambda: accepts(self.address, self.port), "dnsmasq to listen")
        return self

    def stop(self):
        if self.daemon:
            self.daemon.stop()
            self.daemon = None

    def restart(self):
        self.stop()
        return self.start()
