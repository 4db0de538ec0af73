#!/usr/bin/python3
"""services.py SCRIPT: scripts/without-services leaves enabled what was enabled and nothing else, however installing ends."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = sys.argv.pop(1) if len(sys.argv) > 1 else "scripts/without-services"
INSTALL = """
ln -s /lib/systemd/system/new.service "$root/etc/systemd/system/multi-user.target.wants/new.service"
mkdir -p "$root/etc/systemd/system/new.target.wants"
ln -s /lib/systemd/system/other.service "$root/etc/systemd/system/new.target.wants/other.service"
ln -s ../init.d/new "$root/etc/rc2.d/S01new"
ln -s ../init.d/new "$root/etc/rc0.d/K01new"
"""


class WithoutServices(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name in ("etc/systemd/system/multi-user.target.wants", "etc/rc2.d", "etc/rc0.d", "usr/sbin"):
            (self.root / name).mkdir(parents=True)
        (self.root / "etc/systemd/system/multi-user.target.wants/old.service").symlink_to("/lib/systemd/system/old.service")
        (self.root / "etc/rc2.d/S01old").symlink_to("../init.d/old")

    def run_with(self, commands):
        return subprocess.run([SCRIPT, "--root", self.root, "sh", "-c", commands], env={**os.environ, "root": str(self.root)},
                              stdout=subprocess.PIPE, text=True, check=False)

    def links(self):
        return sorted(str(path.relative_to(self.root / "etc")) for path in (self.root / "etc").rglob("*") if path.is_symlink())

    def check_only_the_old_is_enabled(self):
        self.assertEqual(self.links(), ["rc0.d/K01new", "rc2.d/K01new", "rc2.d/S01old",
                                        "systemd/system/multi-user.target.wants/old.service"])
        self.assertFalse((self.root / "usr/sbin/policy-rc.d").exists())

    def test_what_an_installation_enables_is_disabled_and_the_rest_stays(self):
        self.assertEqual(self.run_with(INSTALL).returncode, 0)
        self.check_only_the_old_is_enabled()
        self.assertFalse((self.root / "etc/systemd/system/new.target.wants").exists())

    def test_a_failed_installation_stays_failed_and_enables_nothing(self):
        self.assertEqual(self.run_with(INSTALL + "exit 7").returncode, 7)
        self.check_only_the_old_is_enabled()

    def test_an_interrupted_installation_enables_nothing(self):
        self.assertEqual(self.run_with(INSTALL + "kill -TERM $PPID").returncode, 143)
        self.check_only_the_old_is_enabled()

    def test_services_may_not_start_meanwhile(self):
        asked = self.run_with('"$root/usr/sbin/policy-rc.d" no-such-service.service start; echo $?')
        self.assertEqual(asked.stdout, "101\n")

    def test_a_policy_of_the_machine_is_left_alone(self):
        policy = self.root / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 102\n")
        self.assertEqual(self.run_with("true").returncode, 0)
        self.assertEqual(policy.read_text(), "#!/bin/sh\nexit 102\n")


if __name__ == "__main__":
    unittest.main()
