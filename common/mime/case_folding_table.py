#!/usr/bin/env python3
"""Writes case_folding_table.inc: the search key of each character that has another one than itself (ASCII left to the code).

RFC 5051, 2: titlecase, then decompose. Both are repeated until nothing changes, so that an ordinal indicator finds its letter.

    python3 case_folding_table.py > case_folding_table.inc
"""
import sys
import unicodedata


def titlecase(c):
    # The simple mapping: where the full one has several characters there is no simple one.
    mapped = c.title()
    return mapped if len(mapped) == 1 else c


def decompose(c):
    parts = unicodedata.decomposition(c).split()
    if parts and parts[0].startswith("<"):
        parts = parts[1:]
    return "".join(decompose(chr(int(part, 16))) for part in parts) if parts else c


entries = []
pool = []
where = {}
for point in range(0x80, sys.maxunicode + 1):
    if 0xD800 <= point <= 0xDFFF:
        continue
    key, last = chr(point), None
    while key != last:
        key, last = "".join(decompose(titlecase(c)) for c in key), key
    if key == chr(point):
        continue
    if key not in where:
        where[key] = len(pool)
        pool.extend(ord(c) for c in key)
    entries.append((point, where[key], len(key)))


def rows(items, per_row):
    for i in range(0, len(items), per_row):
        print("    " + ", ".join(items[i : i + per_row]) + ",")


print("// Made by case_folding_table.py from Unicode %s; not to be edited." % unicodedata.unidata_version)
print("constexpr char32_t kPool[] = {")
rows(["%#x" % c for c in pool], 16)
print("};")
print("constexpr Entry kEntries[] = {")
rows(["{%#x, %d, %d}" % e for e in entries], 8)
print("};")
