#!/usr/bin/python3
"""The manual knows every key of `mailstead config describe` and every subcommand of `--help`; the table of roles is that
of the code; and links lead somewhere.

documents.py [FOLDER]     the programs lie in FOLDER or in $MAILSTEAD_BIN; without them links alone are checked
"""
import os
import re
import subprocess
import sys
from pathlib import Path

from tree import ROOT, Findings, files, read

ADMINISTRATION = "docs/administration.md"
ARCHITECTURE = "docs/architecture.md"
ROLES = "common/ipc/roles.cpp"
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)\s]*)?\)")


def keys_of(description):
    """[(table, key)] out of the commented reference: `key = value`, or `#   key (default ...): ...` where a table repeats."""
    table, keys = "", []
    for line in description.splitlines():
        heading = re.match(r"^#? ?\[\[?([\w.]+)\]\]?$", line)
        if heading:
            table = heading[1]
        found = re.match(r"^(?:# {3})?([a-z][a-z0-9_]*)(?: =|(?: \(default [^)]*\))?: )", line)
        if found:
            keys.append((table, found[1]))
    return keys


def subcommands_of(help_text):
    """The names that CLI11 lists below its `Subcommands:` heading (or `SUBCOMMANDS:`)."""
    names, inside = [], False
    for line in help_text.splitlines():
        if re.match(r"^\w.*:\s*$", line):
            inside = "subcommand" in line.lower()
        found = re.match(r"^ {2}([a-z][\w-]*)(?:,? |$)", line)
        if inside and found:
            names.append(found[1])
    return names


def run(program, *arguments):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=20)
    return done.stdout + done.stderr


def all_subcommands(program, path=()):
    for name in subcommands_of(run(program, *path, "--help")):
        yield path + (name,)
        if len(path) < 2:
            yield from all_subcommands(program, path + (name,))


def man_text(source):
    """A man page's words: roff's escapes and font changes taken out."""
    return re.sub(r"\\f.|\\&|^\.\w+ ?", "", source.replace("\\-", "-"), flags=re.M)


def mentions(text, word):
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text) is not None


def check_manual(program, manuals, findings):
    everything = "\n".join(manuals.values())
    where = ADMINISTRATION
    keys = keys_of(run(program, "config", "describe"))
    if not keys:
        findings.add(where, 1, "`mailstead config describe` printed no key")
    for table, key in keys:
        if not mentions(everything, key):
            findings.add(where, 1, f"says nothing of the setting {table + '.' if table else ''}{key}")
    page = next((path for path in manuals if re.fullmatch(r"mailstead\.[18]", path.name)), None)
    if page is None:
        findings.add(where, 1, "there is no man page of mailstead")
        return
    commands = list(all_subcommands(program))
    if not commands:
        findings.add(page, 1, "`mailstead --help` printed no subcommand")
    for command in commands:
        if not mentions(manuals[page], command[-1]) or not mentions(manuals[page], command[0]):
            findings.add(page, 1, f"says nothing of `mailstead {' '.join(command)}`")


def check_links(findings):
    for path in [Path("README.md")] + files(("docs", "bench", "config"), (".md",)):
        for number, line in enumerate(read(path).splitlines(), 1):
            for target, _ in LINK.findall(line):
                if ":" not in target and not (ROOT / path.parent / target).exists():
                    findings.add(path, number, f"the link to {target} leads nowhere")


def roles_in_code(source):
    """{message: the roles that may send it} out of the table in common/ipc/roles.cpp."""
    rows = re.findall(r"\{MessageType::(\w+),\s*([\w |]+)\}", source)
    return {name: {role.strip()[1:].lower() for role in roles.split("|")} for name, roles in rows}


def roles_in_document(text):
    """The same out of the table in the architecture: a column for each role, empty where the message is refused."""
    heading, table = None, {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if cells[0] == "message":
            heading = cells[1:]
        elif heading and not line.startswith("|"):
            break
        elif heading:
            for name in re.findall(r"`(\w+)`", cells[0]):
                table[name] = {role for role, cell in zip(heading, cells[1:]) if cell}
    return table


def check_roles(findings):
    code, document = roles_in_code(read(ROOT / ROLES)), roles_in_document(read(ROOT / ARCHITECTURE))
    for name in sorted(code.keys() | document.keys()):
        if code.get(name) != document.get(name):
            findings.add(ARCHITECTURE, 1, f"who may send {name}: {document.get(name)} here, {code.get(name)} in {ROLES}")


def main():
    findings = Findings()
    check_links(findings)
    check_roles(findings)
    folder = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("MAILSTEAD_BIN", "")
    program = Path(folder, "mailstead")
    if folder and program.exists():
        pages = files(("docs", "config"), (".1", ".5", ".8"))
        manuals = {path: man_text(read(path)) for path in pages}
        manuals[Path(ADMINISTRATION)] = read(ADMINISTRATION) if (ROOT / ADMINISTRATION).exists() else ""
        check_manual(program, manuals, findings)
        findings.finish("manual and links")
    findings.finish("links (no mailstead program to ask)")


if __name__ == "__main__":
    main()
