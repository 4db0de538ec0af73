#!/usr/bin/python3
"""What `cmake --install` puts where: install.py BUILD-FOLDER. Skipped (77) while the programs are not built."""
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from tree import ROOT, Findings

PROGRAMS = ("mailstead", "mailstead-smtpd", "mailstead-deliver", "mailstead-imapd")
SKIP = 77


def check_units(folder, findings):
    """Units start programs that are installed, and a link from one to another has its end."""
    units = {path.name for path in folder.glob("*")}
    for path in folder.glob("*"):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for name in re.findall(r"^Exec\w+=\S*/(mailstead[a-z-]*)", line):
                if name not in PROGRAMS:
                    findings.add(f"config/systemd/{path.name}", number, f"{name} is not installed")
            for name in re.findall(r"\bmailstead[\w@-]*\.(?:service|socket|target|slice)\b", line):
                if name not in units:
                    findings.add(f"config/systemd/{path.name}", number, f"there is no {name}")


def main():
    build = Path(sys.argv[1])
    if not all((build / "bin" / program).exists() for program in PROGRAMS):
        print("the programs are not built")
        sys.exit(SKIP)
    findings = Findings()
    with tempfile.TemporaryDirectory() as prefix:
        subprocess.run(["cmake", "--install", build, "--prefix", prefix], check=True, stdout=subprocess.DEVNULL)
        installed = {str(path.relative_to(prefix)) for path in Path(prefix).rglob("*") if path.is_file()}
        expected = {f"bin/{program}" for program in PROGRAMS} | {
            "share/doc/mailstead/README.md", "share/doc/mailstead/LICENSE",
            "lib/sysusers.d/mailstead.conf", "lib/tmpfiles.d/mailstead.conf"}
        expected |= {f"share/man/man{path.suffix[1:]}/{path.name}" for path in (ROOT / "docs/man").glob("*.[1-8]")}
        expected |= {f"lib/systemd/system/{path.name}" for path in (ROOT / "config/systemd").iterdir() if path.is_file()}
        for path in sorted(expected - installed):
            findings.add("cmake/install.cmake", 1, f"does not install {path}")
        check_units(Path(prefix, "lib/systemd/system"), findings)
    findings.finish(f"installation of {len(installed)} files")


if __name__ == "__main__":
    main()
