"""What the checks share: the files of the tree, comments joined over lines, and one way to report."""
import os
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAMS = ("smtpd", "deliver", "imapd", "admin")
SOURCE_FOLDERS = ("common",) + PROGRAMS
CODE = (".h", ".cpp")


def files(folders, suffixes, root=ROOT):
    """Paths below the folders with one of the suffixes, relative to the root, in order."""
    found = []
    for folder in folders:
        for where, names, leaves in os.walk(root / folder):
            names[:] = sorted(name for name in names if name not in ("__pycache__", "build", ".git"))
            found += [Path(where, leaf).relative_to(root) for leaf in leaves if leaf.endswith(suffixes)]
    return sorted(found)


def read(path, root=ROOT):
    return (root / path).read_text(encoding="utf-8", errors="replace")


class Prose:
    """Text with its line breaks and comment marks turned into spaces, so that what is wrapped is still found."""

    # A break, the indent and the mark of the comment (or of the string literal) that goes on in the next line.
    BREAK = re.compile(r'"?\s*\n[ \t]*(?://+|#+|"|\*)?[ \t]*')

    def __init__(self, text):
        self.starts = []  # (offset in the joined text, line number)
        pieces, length, line, last = [], 0, 1, 0
        for gap in self.BREAK.finditer(text):
            self.starts.append((length, line))
            pieces.append(text[last:gap.start()] + " ")
            length += len(pieces[-1])
            line += gap.group().count("\n")
            last = gap.end()
        self.starts.append((length, line))
        pieces.append(text[last:])
        self.text = "".join(pieces)

    def line(self, offset):
        line = 1
        for start, number in self.starts:
            if start > offset:
                break
            line = number
        return line


class Findings:
    def __init__(self):
        self.lines = []

    def add(self, path, line, what):
        self.lines.append(f"{path}:{line}: {what}")

    def finish(self, checked):
        """Prints what was found and ends the program: 0 when that is nothing."""
        for line in self.lines:
            print(line)
        print(f"{checked}: {len(self.lines)} findings" if self.lines else f"{checked}: in order")
        sys.exit(1 if self.lines else 0)
