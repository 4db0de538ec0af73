#!/usr/bin/python3
"""Writes rfc_sections.txt anew: extract_sections.py FOLDER

FOLDER holds rfcNNNN.txt files as the RFC Editor publishes them.
One line for each RFC: its number, a colon, and the numbers of its sections and appendices.
"""
import re
import sys
from pathlib import Path

# A heading stands at the margin: "4.1.1.3.  RECIPIENT (RCPT)", "Appendix D.  Scenarios", "D.1.  A Typical Scenario".
HEADING = re.compile(r"^(?:(?:Appendix|APPENDIX|ANNEX) +([A-Z](?:\.\d+)*)\b"
                     r"|((?:\d+|[A-Z])(?:\.\d+)+|\d+)\.?[ \t]+\S"
                     r"|([A-Z])\.[ \t]+\S)", re.M)


def sections(text):
    """The numbers found, with the sections that the deeper ones lie in (some RFCs set those headings apart)."""
    found = {next(group for group in heading.groups() if group) for heading in HEADING.finditer(text)}
    found = {section for section in found if not any(part.startswith("0") for part in section.split("."))}
    for section in list(found):
        parts = section.split(".")
        found.update(".".join(parts[:depth]) for depth in range(1, len(parts)))
    return sorted(found, key=sort_key)


def sort_key(section):
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in section.split(".")]


def main():
    folder = Path(sys.argv[1])
    lines = ["# The sections that each RFC has. Written by extract_sections.py; citations.py looks them up.\n"]
    for path in sorted(folder.glob("rfc*.txt"), key=lambda p: int(p.stem[3:])):
        lines.append(f"{path.stem[3:]}: {' '.join(sections(path.read_text(encoding='utf-8', errors='replace')))}\n")
    (Path(__file__).parent / "rfc_sections.txt").write_text("".join(lines))


if __name__ == "__main__":
    main()
