#!/usr/bin/python3
"""House rules that a compiler does not see: headers, lengths, words that must not stay, paths of one machine."""
import re

from tree import SOURCE_FOLDERS, Findings, files, read

FOLDERS = SOURCE_FOLDERS + ("tests", "fuzz", "bench")
CODE = (".h", ".cpp", ".py")
TEXT = CODE + (".md", ".cmake", ".txt", ".service", ".socket", ".toml", ".conf")
OWN = "tests/checks/"  # names what must not be named

MAX_COLUMNS = 130  # clang-format stops at 110; a table row, a comment or a string may go on
MAX_LINES = 600

UNFINISHED = re.compile(r"\b(?:TODO|FIXME|XXX|HACK|TBD|WIP)\b|\bstub(?:s|bed)?\b(?! resolver)"
                        r"|\bplaceholder\b|\bnot implemented\b|\bcoming soon\b", re.IGNORECASE)
MACHINE_PATHS = re.compile(r"(?<![\w.~-])/(?:home|work|root|mnt|Users)/\w")
# What libFuzzer reads: keyword="bytes", where a byte may be \\, \" or \xHH, and nothing else. It refuses to start on other lines.
DICTIONARY_LINE = re.compile(r'\s*(?:#.*|[^"#]*"(?:[^"\\]|\\[\\"]|\\x[0-9A-Fa-f]{2})+"\s*)?')
LICENCE_TEXT = re.compile(r"\bCopyright\b|SPDX-License|\bAll rights reserved\b|\bPermission is hereby granted\b", re.IGNORECASE)


def check_header(path, text, findings):
    if not re.search(r"^#pragma once$", text, re.M):
        findings.add(path, 1, "has no `#pragma once`")
    for found in re.finditer(r"^(?!\s*//).*\busing namespace\b(?! std::\w*literals)", text, re.M):
        line = text.count("\n", 0, found.start()) + 1
        findings.add(path, line, "`using namespace` in a header reaches everyone who includes it")


def check_lengths(path, lines, findings):
    for number, line in enumerate(lines, 1):
        # A link and a raw string cannot be wrapped.
        if len(line) > MAX_COLUMNS and "http" not in line and 'R"(' not in line:
            findings.add(path, number, f"{len(line)} columns, {MAX_COLUMNS} are the most")
    if len(lines) > MAX_LINES:
        findings.add(path, MAX_LINES + 1, f"{len(lines)} lines, {MAX_LINES} are the most: a file has one subject")


def check_words(path, lines, findings):
    for number, line in enumerate(lines, 1):
        # Test values may hold anything: "17-Xxx-1996" is a date that must be refused.
        prose = re.sub(r'"(?:\\.|[^"\\])*"', '""', line) if path.startswith("tests/") else line
        for pattern, what in ((UNFINISHED, "says that something is unfinished"), (MACHINE_PATHS, "is a path of one machine"),
                              (LICENCE_TEXT, "is licence text; LICENSE holds for the whole tree")):
            found = pattern.search(prose)
            if found:
                findings.add(path, number, f"`{found[0]}` {what}")


def check_dictionary(path, lines, findings):
    for number, line in enumerate(lines, 1):
        if not DICTIONARY_LINE.fullmatch(line):
            findings.add(path, number, "libFuzzer does not read this line: \\\\, \\\" and \\xHH are its only escapes")


def main():
    findings, count = Findings(), 0
    for path in map(str, files(("fuzz",), (".dict",))):
        count += 1
        check_dictionary(path, read(path).split("\n"), findings)
    for path in map(str, files(FOLDERS, CODE) + files(("docs", "config", "cmake"), TEXT)):
        count += 1
        text = read(path)
        lines = text.split("\n")
        lines = lines[:-1] if lines and not lines[-1] else lines
        if path.endswith(".h"):
            check_header(path, text, findings)
        if path.endswith(CODE):
            check_lengths(path, lines, findings)
        if not path.startswith(OWN):
            check_words(path, lines, findings)
    findings.finish(f"house rules in {count} files")


if __name__ == "__main__":
    main()
