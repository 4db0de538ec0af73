#!/usr/bin/python3
"""RFC citations: one form (`RFC 5321, 4.1.1.3`), sections that exist, and each RFC in docs/conformance.md.

citations.py            checks, and prints what is wrong
citations.py --list     prints each RFC with the sections and files that cite it: the raw material of docs/conformance.md
"""
import re
import sys
from collections import defaultdict
from pathlib import Path

from tree import ROOT, SOURCE_FOLDERS, Findings, Prose, files, read

FOLDERS = SOURCE_FOLDERS + ("tests", "fuzz", "bench", "docs", "config", "cmake")
SUFFIXES = (".h", ".cpp", ".py", ".md", ".txt", ".cmake", ".toml", ".service")
OWN = "tests/checks/"  # holds bad citations on purpose
CONFORMANCE = "docs/conformance.md"

UNIT = r"bits?|bytes?|octets?|seconds|minutes"
SECTION = rf"(?:\d{{1,2}}(?:\.\d+)*(?! ?-?(?:{UNIT})\b)|[A-Z](?:\.\d+)+|Appendix [A-Z](?:\.\d+)*)(?![\w.]*\w)"
# `RFC 9051, 6.4.7 and 6.4.8`, `RFC 7162, 3.1.3, 3.1.4`, `RFC 5321, D.1`, `RFC 5321, 3.1 to 3.7`
CITATION = re.compile(rf"\bRFC (\d{{3,5}})((?:,? (?:and |to )?{SECTION})*)")
SECTIONS = re.compile(SECTION)
IN_NAMES = re.compile(r"_Rfc(\d{3,5})((?:_\d+)*)")  # TEST(SmtpData, RejectsBareLf_Rfc5321_2_3_8)

# The same thing said in other ways. RFC822 and RFC822.SIZE are names of IMAP and of media types; rfc5321.txt and
# tests/data/dkim/rfc6376-a2.eml are files.
OTHER_FORMS = [
    (re.compile(r"(?<![/_])\b(?:RFC|Rfc|rfc)(?:-|  +)?(?!822\b|2822\b)\d{3,5}\b(?![\w-]*(?:[./]\w|[\"]))"),
     "write `RFC 5321`, with one space"),
    (re.compile(r"\bRFC \d{3,5},? ?(?:[Ss]ection|[Ss]ec\.|[Ss]ect\.|§|S\.|chapter)"),
     "write `RFC 5321, 4.1.1.3`, without a word or sign for the section"),
    (re.compile(r"\b[Ss]ections? \d+(?:\.\d+)*,? (?:of|in) RFC"), "write `RFC 5321, 4.1.1.3`"),
    (re.compile(r"\bRFC \d{3,5},(?: and)? \d{4}\b|\bRFCs \d"), "write `RFC` before each number"),
    (re.compile(r"\bRFC \d{3,5}(?:[:/#]? ?|, ?§)\d+\.\d"), "write `RFC 5321, 4.1.1.3`, with a comma and a space"),
]


def known_sections():
    table = {}
    for line in read(Path(OWN) / "rfc_sections.txt").splitlines():
        if not line.startswith("#"):
            number, sections = line.split(":")
            table[number] = set(sections.split())
    return table


def citations(text):
    """(offset, RFC, [section, ...]) of each citation in joined text, and of each test name."""
    for found in CITATION.finditer(text):
        yield found.start(), found[1], [s.replace("Appendix ", "") for s in SECTIONS.findall(found[2])]
    for found in IN_NAMES.finditer(text):
        section = found[2][1:].replace("_", ".")
        yield found.start(), found[1], [section] if section else []


def check_text(path, text, table, findings):
    prose = Prose(text)
    for form, advice in OTHER_FORMS:
        for found in form.finditer(prose.text):
            findings.add(path, prose.line(found.start()), f"`{found[0]}`: {advice}")
    for offset, rfc, sections in citations(prose.text):
        for section in sections:
            if rfc in table and section not in table[rfc]:
                findings.add(path, prose.line(offset), f"RFC {rfc} has no section {section}")


def rows_of_conformance(text):
    """RFC numbers that the first column of a table names, or the list of RFCs that are cited for single facts."""
    rows = set()
    for line in text.splitlines():
        if line.startswith("|"):
            rows.update(re.findall(r"\b\d{3,5}\b", line.split("|")[1]))
        elif line.startswith("- RFC"):
            rows.update(re.findall(r"\d{3,5}", line.split(":")[0]))
    return rows


def check_conformance(text, cited, findings):
    rows = rows_of_conformance(text)
    for rfc in sorted(cited, key=int):
        if rfc not in rows:
            path, line = cited[rfc]
            findings.add(path, line, f"RFC {rfc} is cited here, but {CONFORMANCE} does not know it")
    for number, line in enumerate(text.splitlines(), 1):
        for name in re.findall(r"`((?:tests|fuzz|common|smtpd|deliver|imapd|admin)/[\w./-]+)`", line):
            if not (ROOT / name).exists():
                findings.add(CONFORMANCE, number, f"there is no {name}")


def list_by_rfc(texts):
    by_rfc = defaultdict(lambda: (set(), set()))
    for path, text in texts.items():
        for _, rfc, sections in citations(Prose(text).text):
            by_rfc[rfc][0].update(sections)
            by_rfc[rfc][1].add(str(path))
    for rfc in sorted(by_rfc, key=int):
        sections, where = by_rfc[rfc]
        print(f"RFC {rfc}: {', '.join(sorted(sections, key=lambda s: [p.zfill(3) for p in s.split('.')])) or '-'}")
        print("".join(f"    {path}\n" for path in sorted(where)), end="")


def main():
    texts = {path: read(path) for path in files(FOLDERS, SUFFIXES) if not str(path).startswith((OWN, "tests/data"))}
    if sys.argv[1:] == ["--list"]:
        list_by_rfc({path: text for path, text in texts.items() if str(path) != CONFORMANCE})
        return
    table, findings, cited = known_sections(), Findings(), {}
    for path, text in texts.items():
        check_text(path, text, table, findings)
        if str(path).startswith(SOURCE_FOLDERS):
            prose = Prose(text)
            for offset, rfc, _ in citations(prose.text):
                cited.setdefault(rfc, (path, prose.line(offset)))
    conformance = ROOT / CONFORMANCE
    if conformance.exists():
        check_conformance(conformance.read_text(), cited, findings)
    findings.finish(f"citations of {len(cited)} RFCs in {len(texts)} files")


if __name__ == "__main__":
    main()
