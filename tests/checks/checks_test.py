#!/usr/bin/python3
"""The checks find what they are for: each is shown a small wrong thing, and the same thing made right."""
import contextlib
import io
import re
import unittest

import citations
import documents
import extract_sections
import headers
import layers
from tree import Findings, Prose


def found_by(check, *arguments):
    findings = Findings()
    check(*arguments, findings)
    return findings.lines


def sources(**texts):
    """{path: includes} of files given as common__base__x_h="text"."""
    return {re.sub(r"_(h|cpp)$", r".\1", name.replace("__", "/")): layers.includes(text) for name, text in texts.items()}


class Layers(unittest.TestCase):
    def test_an_arrow_upwards_is_found_with_its_line(self):
        tree = sources(common__mime__x_cpp='#include <vector>\n#include "common/smtp/y.h"\n', common__smtp__y_h="")
        self.assertEqual(found_by(layers.check_arrows, tree),
                         ["common/mime/x.cpp:2: common/mime may not include common/smtp (common/smtp/y.h)"])

    def test_an_arrow_through_others_is_allowed(self):
        tree = sources(common__smtp__x_cpp='#include "common/base/y.h"', common__base__y_h="")
        self.assertEqual(found_by(layers.check_arrows, tree), [])

    def test_programs_do_not_include_each_other(self):
        for target in ("smtpd/session/y.h", "deliver/y.h"):
            tree = {"imapd/session/x.cpp": layers.includes(f'#include "{target}"'), target: []}
            self.assertEqual(len(found_by(layers.check_arrows, tree)), 1, target)

    def test_an_unknown_folder_and_a_wrong_path_are_found(self):
        self.assertEqual(len(found_by(layers.check_arrows, sources(common__novel__x_h=""))), 1)
        self.assertEqual(len(found_by(layers.check_arrows, sources(common__base__x_h='#include "y.h"'))), 1)

    def test_files_that_stand_lower_than_their_folder(self):
        self.assertEqual(layers.unit_of("common/directory/routing.h"), "common/directory/routing")
        self.assertEqual(layers.unit_of("common/directory/records.h"), "common/directory")
        tree = sources(smtpd__core__x_h='#include "common/directory/editor.h"', common__directory__editor_h="")
        self.assertEqual(len(found_by(layers.check_arrows, tree)), 1)

    def test_a_core_does_not_reach_asio_by_way_of_others(self):
        tree = sources(smtpd__core__x_h='#include "common/smtp/y.h"', common__smtp__y_h="#include <boost/asio/io_context.hpp>")
        lines = found_by(layers.check_reach, tree)
        self.assertIn("smtpd/core/x.h:1: reaches common/smtp/y.h -> boost/asio/io_context.hpp: a protocol core does no I/O",
                      lines)

    def test_before_login_no_mailbox_can_be_reached(self):
        tree = sources(imapd__session__preauth_cpp='#include "imapd/session/z.h"',
                       imapd__session__z_h='#include "common/store/store.h"', common__store__store_h="")
        self.assertEqual(len(found_by(layers.check_reach, tree)), 1)

    def test_smtpd_never_reaches_the_store(self):
        tree = sources(smtpd__main_cpp='#include "common/store/store.h"', common__store__store_h="")
        self.assertEqual(len(found_by(layers.check_reach, tree)), 1)

    def test_headers_of_libraries_have_their_homes(self):
        self.assertEqual(len(found_by(layers.check_headers, sources(common__store__x_cpp="#include <lmdb.h>"))), 1)
        self.assertEqual(found_by(layers.check_headers, sources(common__kv__x_cpp="#include <lmdb.h>")), [])
        self.assertEqual(len(found_by(layers.check_headers, sources(common__mailauth__x_h="#include <openssl/evp.h>"))), 1)
        self.assertEqual(found_by(layers.check_headers, sources(common__mailauth__x_cpp="#include <openssl/evp.h>")), [])

    def test_calls_have_their_homes_but_comments_may_name_them(self):
        self.assertEqual(len(found_by(layers.check_calls, {"common/store/x.cpp": "::fsync(fd);"})), 1)
        right = {"common/store/x.cpp": "// after fsync(fd)\n", "common/commit/file_layer.cpp": "::fsync(fd);"}
        self.assertEqual(found_by(layers.check_calls, right), [])


class Citations(unittest.TestCase):
    TABLE = {"5321": {"4", "4.1", "4.1.1", "D", "D.1"}}

    def wrong(self, text):
        return found_by(citations.check_text, "x.h", text, self.TABLE)

    def test_the_right_form_passes(self):
        for text in ("// RFC 5321, 4.1.1", "// (RFC 5321, 4.1 and 4.1.1; RFC 9999, 77.1)", "RFC 5321, D.1.",
                     "RFC 5321, Appendix D", "RFC 5321, 64 bytes", "RFC 5321 says", "RFC822.SIZE", "see rfc5321.txt"):
            self.assertEqual(self.wrong(text), [], text)

    def test_other_forms_are_found(self):
        for text in ("// RFC5321", "// RFC-5321, 4.1", "// RFC 5321, section 4.1", "// RFC 5321 §4.1",
                     "// section 4.1 of RFC 5321", "// RFC 5321 4.1", "// RFC 5321: 4.1", "// RFC 5321, 5322"):
            self.assertEqual(len(self.wrong(text)), 1, text)

    def test_a_section_that_does_not_exist_is_found(self):
        self.assertEqual(self.wrong("a\n// RFC 5321, 4.1.9\n"), ["x.h:2: RFC 5321 has no section 4.1.9"])
        self.assertEqual(len(self.wrong("// RFC 5321, 4.1, 4.2 and 9")), 2)
        self.assertEqual(len(self.wrong("TEST(Smtp, RejectsBareLf_Rfc5321_4_1_9) {")), 1)
        self.assertEqual(self.wrong("TEST(Smtp, RejectsBareLf_Rfc5321_4_1_1) {"), [])

    def test_a_citation_that_is_wrapped_is_read_whole(self):
        self.assertEqual(self.wrong("// one (RFC\n// 5321,\n//   4.1.9)"), ["x.h:1: RFC 5321 has no section 4.1.9"])
        self.assertEqual(Prose("a\n  // b\nc").text, "a b c")

    def test_conformance_must_know_each_rfc_and_its_files_must_exist(self):
        text = "| RFC 5321 | x | `tests/nowhere/x.cpp` |\n- RFC 1035: names\n"
        self.assertEqual(found_by(citations.check_conformance, text, {"5321": ("x.h", 3), "1035": ("x.h", 3)}),
                         ["docs/conformance.md:1: there is no tests/nowhere/x.cpp"])
        self.assertEqual(len(found_by(citations.check_conformance, "", {"5321": ("x.h", 3)})), 1)

    def test_sections_out_of_an_rfc(self):
        text = "1.  Introduction\n\n   2.  a list\n4.1.1.  Deep\nAppendix D.  Scenarios\nD.1.  One\n1982, a year\n"
        self.assertEqual(extract_sections.sections(text), ["D", "D.1", "1", "4", "4.1", "4.1.1"])


class Headers(unittest.TestCase):
    def test_headers_are_included_once_and_open_no_namespace(self):
        self.assertEqual(len(found_by(headers.check_header, "x.h", "using namespace std;\n")), 2)
        self.assertEqual(found_by(headers.check_header, "x.h", "#pragma once\n// never `using namespace` here\n"), [])

    def test_lengths(self):
        self.assertEqual(found_by(headers.check_lengths, "x.h", ["x" * 130] * 600), [])
        self.assertEqual(len(found_by(headers.check_lengths, "x.h", ["x" * 131])), 1)
        self.assertEqual(len(found_by(headers.check_lengths, "x.h", [""] * 601)), 1)

    def test_dictionaries(self):
        self.assertEqual(found_by(headers.check_dictionary, "x.dict", ['"QUIT\\x0D\\x0A"', 'kw="a\\"\\\\"', "# words", ""]), [])
        for line in ('"QUIT\\r\\n"', '"open', '""', "QUIT"):
            self.assertEqual(len(found_by(headers.check_dictionary, "x.dict", [line])), 1, line)

    def test_words(self):
        for line in ("// TODO: more", "// a stub", "int x;  // fixme", '"/home/me/x"', "// Copyright 2020"):
            self.assertEqual(len(found_by(headers.check_words, "common/x.h", [line])), 1, line)
        for line in ("// the stub resolver's", "auto hacksaw;", "~/src/x", "// stubborn"):
            self.assertEqual(found_by(headers.check_words, "common/x.h", [line]), [], line)


class Documents(unittest.TestCase):
    def test_keys_out_of_the_described_configuration(self):
        text = ("# Its name.\n# Read by: all.\nhostname = \"mail.example.org\"\n\n"
                "# Read by: smtpd. Allowed: 1.\n[tls]\nkey = \"\"\n"
                "#   service: what is served\n#   address (default \"\"): where\n[[listener]]\n# address = 1\n")
        self.assertEqual([key for _, key in documents.keys_of(text)], ["hostname", "key", "service", "address"])

    def test_subcommands_out_of_help(self):
        text = ("Mailstead\nUsage: mailstead [OPTIONS] SUBCOMMAND\n\nOptions:\n  -h,--help   help\n\n"
                "Subcommands:\n  serve   runs\n  app-password   x\n")
        self.assertEqual(documents.subcommands_of(text), ["serve", "app-password"])

    def test_who_may_send_what_is_read_from_code_and_document(self):
        code = documents.roles_in_code("{MessageType::ask, kSmtpd | kAdmin}, {MessageType::tell,\n kImapd},")
        self.assertEqual(code, {"ask": {"smtpd", "admin"}, "tell": {"imapd"}})
        text = ("| message | smtpd | imapd | admin |\n| --- | --- | --- | --- |\n"
                "| `ask` | yes | | for it |\n| `tell` | | yes | |\n")
        self.assertEqual(documents.roles_in_document(text), code)

    def test_words_of_a_man_page(self):
        text = documents.man_text(".SH NAME\n\\fBmailstead\\fR \\- mail\n.B app\\-password\n")
        self.assertTrue(documents.mentions(text, "app-password"))
        self.assertFalse(documents.mentions(text, "password"))


class Report(unittest.TestCase):
    def test_findings_decide_the_exit_code(self):
        for lines, code in ((["x:1: y"], 1), ([], 0)):
            findings = Findings()
            findings.lines = lines
            with self.assertRaises(SystemExit) as end, contextlib.redirect_stdout(io.StringIO()):
                findings.finish("test")
            self.assertEqual(end.exception.code, code)


if __name__ == "__main__":
    unittest.main()
