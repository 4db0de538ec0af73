#!/usr/bin/python3
"""The arrows of docs/architecture.md ("Layers"), checked against every #include below common/ and the programs."""
import re
from collections import namedtuple

from tree import CODE, PROGRAMS, SOURCE_FOLDERS, Findings, files, read

# A unit is a folder, or files of one (a prefix of their paths) that stand lower than the rest of their folder. The longest prefix
# that fits a file is its unit. A unit may include what it names here, what those may include, and itself.
ARROWS = {
    # Pure: bytes and values in, bytes and values out.
    "common/base": [],
    "common/address": ["common/base"],
    "common/mime": ["common/address"],
    "common/smtp": ["common/mime"],
    "common/sasl": ["common/base"],
    "common/dns/records": ["common/address"],
    "common/dns/wire": ["common/dns/records"],
    "common/dns/cache": ["common/dns/records"],
    "common/dns/fake_resolver": ["common/dns/records"],
    "common/mailauth": ["common/mime", "common/dns/records"],
    "common/settings": ["common/address"],
    "common/directory/routing": ["common/address"],  # the verdict on a recipient is a value that smtpd's core handles
    "imapd/proto": ["common/mime"],
    "imapd/pop3/core": ["common/mime"],
    "smtpd/core": ["common/smtp", "common/directory/routing"],
    "deliver/relay/client_core": ["common/smtp", "common/sasl"],
    "deliver/relay/route": ["common/smtp", "common/dns/records"],
    "deliver/queue/retry": ["common/base"],
    # Blocking files.
    "common/kv": ["common/base"],
    "common/backup": ["common/kv"],
    "common/commit": ["common/kv"],
    "common/directory": ["common/kv", "common/address", "common/sasl", "common/directory/routing"],
    "common/store": ["common/commit", "common/kv", "common/mime"],
    "common/fulltext": ["common/store", "common/mime"],
    "common/queue": ["common/commit", "common/ipc", "common/address"],  # an entry holds the envelope as it came over the socket
    "common/ledger": ["common/commit", "common/ipc", "common/address"],  # likewise its events
    # With Asio.
    "common/net": ["common/base"],
    "common/dns": ["common/net", "common/dns/records", "common/dns/wire", "common/dns/cache"],
    "common/ipc": ["common/address", "common/net"],
    "common/runtime": ["common/settings", "common/net"],
    # Programs.
    "smtpd": ["smtpd/core", "common/smtp", "common/mailauth", "common/sasl", "common/directory", "common/dns", "common/ipc",
              "common/net", "common/runtime"],
    "deliver": ["deliver/relay/client_core", "deliver/relay/route", "deliver/queue/retry", "common/store",
                "common/backup", "common/fulltext", "common/queue",
                "common/ledger", "common/directory", "common/smtp", "common/mailauth", "common/sasl", "common/dns", "common/ipc",
                "common/net", "common/runtime"],
    "imapd": ["imapd/proto", "imapd/pop3/core", "common/store", "common/fulltext", "common/directory", "common/sasl",
              "common/ipc", "common/net", "common/runtime"],
    "admin": ["common/backup", "common/store", "common/queue", "common/ledger", "common/directory", "common/smtp",
              "common/mailauth", "common/sasl", "common/dns", "common/ipc", "common/net", "common/runtime"],
}

# These stay free of what waits or touches a disk, whatever they include and however far away.
PURE = ("common/base", "common/address", "common/mime", "common/smtp", "common/sasl", "common/dns/records", "common/dns/wire",
        "common/dns/cache", "common/mailauth", "common/directory/routing", "imapd/proto", "imapd/pop3/core", "smtpd/core",
        "deliver/relay/client_core", "deliver/relay/route", "deliver/queue/retry")
ASIO = re.compile(r"boost/(asio|beast)")

# (files whose path starts so, what they may not reach through any chain of includes, why)
UNREACHABLE = [
    (PURE, ASIO, "a protocol core does no I/O"),
    (PURE, re.compile(r"lmdb\.h|ares\.h|fstream|filesystem|sys/socket\.h"), "a protocol core does no I/O"),
    (("common/kv", "common/backup", "common/commit", "common/store", "common/settings"), ASIO,
     "blocking code knows nothing of coroutines"),
    (("smtpd/",), re.compile(r"common/(store|commit|queue|ledger)/"), "smtpd owns no data"),
    (("imapd/session/preauth", "imapd/session/login", "imapd/session/connection", "imapd/session/capabilities"),
     re.compile(r"common/(store|commit|kv)/"), "before login no mailbox can be reached"),
    (("imapd/",), re.compile(r"common/(dns|queue|mailauth)/"), "imapd connects to nothing outside"),
]

# (a library's header, files whose path starts so may include it, why). The rest may not.
HEADERS = [
    (ASIO, ("common/net/", "common/dns/", "common/ipc/", "common/runtime/") + tuple(p + "/" for p in PROGRAMS), "Asio"),
    (re.compile(r"lmdb\.h"), ("common/kv/",), "LMDB is common/kv's"),
    (re.compile(r"ares(_\w+)?\.h"), ("common/dns/cares_resolver.cpp",), "c-ares is the resolver's"),
    (re.compile(r"toml(\+\+)?[./]"), ("common/settings/loader.cpp",), "toml++ is the loader's"),
    (re.compile(r"CLI/"), ("admin/",), "CLI11 is the admin command's"),
    (re.compile(r"seccomp\.h|linux/landlock\.h"), ("common/runtime/",), "the sandbox is the runtime's"),
    (re.compile(r"idn2\.h"), ("common/address/",), "international names are common/address's"),
]
# Headers of these libraries stay out of our own headers, but for the folders that wrap them.
KEPT_IN_SOURCES = re.compile(r"(openssl/|sodium\.h|lmdb\.h|ares\.h|idn2\.h|stringprep\.h|zlib\.h|toml|CLI/)")
WRAPPERS = ("common/net/", "common/kv/")

# (a call, the files that may hold it, why)
CALLS = [
    (re.compile(r"\b(fsync|fdatasync|syncfs|sync_file_range)\("),
     ("common/commit/file_layer", "common/kv/", "common/backup/", "admin/"),
     # (kv: the folder of an environment when it is made, and files put in place of others; backup: copies on other
     # disks; admin: configuration and keys, while it sets up)
     "what is made durable goes through FileLayer, so that tests can lose it"),
    # (admin: one command, one coroutine, and the process ends with it)
    (re.compile(r"\bco_spawn\("), ("common/net/task_group.cpp", "admin/"), "every coroutine belongs to a TaskGroup"),
    (re.compile(r"\basio::detached\b"), (), "every coroutine belongs to a TaskGroup"),
    (re.compile(r"\bsystem_clock::now\(|\btime\((nullptr|NULL|0)\)"), ("common/base/clock.cpp",),
     "base/clock.h is the only source of the time"),
    (re.compile(r"\bstd::(cout|cerr)\b"), ("admin/",), "daemons write through runtime/log.h"),
]

Include = namedtuple("Include", "line target quoted")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"\n]+)"|<([^>\n]+)>)', re.MULTILINE)


def includes(text):
    """The #include lines of a source file."""
    return [Include(text.count("\n", 0, found.start()) + 1, found[1] or found[2], found[1] is not None)
            for found in INCLUDE.finditer(text)]


def prefixes(unit):
    """How the paths of a unit's files begin: a folder's, or x.h, x.cpp and x_y.h for a unit x inside one."""
    return unit if unit.endswith("/") else (unit + "/", unit + ".", unit + "_")


def unit_of(path):
    """The unit that a file belongs to; None for a folder that the table does not know."""
    fits = [unit for unit in ARROWS if path.startswith(prefixes(unit))]
    return max(fits, key=len, default=None)


def reach(unit, seen=None):
    """What a unit may include, itself among it."""
    seen = set() if seen is None else seen
    if unit not in seen:
        seen.add(unit)
        for below in ARROWS[unit]:
            reach(below, seen)
    return seen


def check_arrows(sources, findings):
    for path, found in sources.items():
        unit = unit_of(path)
        if unit is None:
            findings.add(path, 1, "stands in no layer; add its folder to tests/checks/layers.py")
            continue
        allowed = reach(unit)
        for include in found:
            if not include.quoted:
                continue
            target = unit_of(include.target)
            if include.target not in sources and not include.target.endswith(".inc"):
                findings.add(path, include.line, f'"{include.target}" is no path from the root of the tree')
            elif target is not None and target not in allowed:
                findings.add(path, include.line, f"{unit} may not include {target} ({include.target})")


def chain_to(start, forbidden, sources):
    """The shortest chain of includes from a file to a forbidden header, as [(file, line), ...]; None if there is none."""
    waiting, seen = [(start, [])], {start}
    while waiting:
        path, chain = waiting.pop(0)
        for include in sources.get(path, ()):
            here = chain + [(path, include.line)]
            if forbidden.match(include.target):
                return here + [(include.target, 0)]
            if include.target in sources and include.target not in seen:
                seen.add(include.target)
                waiting.append((include.target, here))
    return None


def check_reach(sources, findings):
    for starts, forbidden, why in UNREACHABLE:
        for path in sources:
            if not any(path.startswith(prefixes(start)) for start in starts):
                continue
            chain = chain_to(path, forbidden, sources)
            if chain:
                way = " -> ".join(name for name, _ in chain[1:])
                findings.add(path, chain[0][1], f"reaches {way}: {why}")


def check_headers(sources, findings):
    for path, found in sources.items():
        for include in found:
            if include.quoted:
                continue
            for header, homes, why in HEADERS:
                if header.match(include.target) and not path.startswith(homes):
                    findings.add(path, include.line, f"<{include.target}> does not belong here: {why}")
            if path.endswith(".h") and KEPT_IN_SOURCES.match(include.target) and not path.startswith(WRAPPERS):
                findings.add(path, include.line, f"<{include.target}> stays in source files")


def check_calls(texts, findings):
    for path, text in texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            code = re.sub(r'//.*|"(\\.|[^"\\])*"', "", line)
            for call, homes, why in CALLS:
                if call.search(code) and not path.startswith(homes):
                    findings.add(path, number, f"{call.search(code)[0]}: {why}")


def main():
    texts = {str(path): read(path) for path in files(SOURCE_FOLDERS, CODE)}
    sources = {path: includes(text) for path, text in texts.items()}
    findings = Findings()
    check_arrows(sources, findings)
    check_reach(sources, findings)
    check_headers(sources, findings)
    check_calls(texts, findings)
    findings.finish(f"layers of {len(sources)} files")


if __name__ == "__main__":
    main()
