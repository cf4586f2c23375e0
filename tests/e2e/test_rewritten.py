"""What rewriting writes, read by others: Python's email and Nodemailer read
each header section of tests/relay/rewrite/corpus.txt as it was meant.  That
lanpost writes these very octets is tests/relay/test_rewrite_corpus.c."""

import email
import email.policy
import json
import pathlib
import re
import subprocess
import unittest

HERE = pathlib.Path(__file__).parent
CORPUS = HERE.parent / "relay/rewrite/corpus.txt"
RELAY = "relay@contoso.com"
DESK = "desk@contoso.com"
OURS = {"me", "named", "desk", "silent"}
SCRIPT = """
const parse = require('nodemailer/lib/addressparser');
const values = JSON.parse(require('fs').readFileSync(0, 'utf8'));
console.log(JSON.stringify(values.map((v) => parse(v, { flatten: true }))));
"""


def octets(lines):
    escape = re.compile(rb"\\(x..|.)")
    known = {b"t": b"\t", b"r": b"\r", b"n": b"\n", b"\\": b"\\"}

    def one(match):
        word = match[1]
        return bytes([int(word[1:], 16)]) if word[:1] == b"x" else known[word]
    return b"".join(escape.sub(one, line.encode()) + b"\r\n" for line in lines)


def examples():
    text = CORPUS.read_text()
    for part in re.split(r"^=== ", text, flags=re.M)[1:]:
        title, *lines = part.rstrip("\n").split("\n")
        name, how = title.split(" | ")
        cut = lines.index("---")
        after = lines[cut + 1:]
        yield name, how, octets(lines[:cut] if after == ["(same)"] else after)


def values(header, name):
    message = email.message_from_bytes(header + b"\r\n",
                                       policy=email.policy.default)
    return message.get_all(name, [])


def unfolded(header, name):
    found = re.search(rb"^%s[ \t]*:((?:.*\r\n[ \t])*.*)\r\n" % name.encode(),
                      header, re.M | re.I)
    return found and found[1].replace(b"\r\n", b"").decode("latin-1").strip()


class Rewritten(unittest.TestCase):
    def each(self, hows, check):
        for name, how, header in examples():
            if how in hows:
                with self.subTest(name=name, how=how):
                    check(header)

    def test_python_reads_one_from(self):
        def check(header):
            found = values(header, "From")
            self.assertEqual(len(found), 1)
            self.assertEqual([a.addr_spec for a in found[0].addresses],
                             [RELAY])
            self.assertEqual(found[0].defects, ())
        self.each(OURS, check)

    def test_python_finds_nothing_hidden(self):
        def check(header):
            for name in ("Bcc", "Resent-Bcc", "Return-Path"):
                self.assertEqual(values(header, name), [])
        self.each({how for _, how, _ in examples()}, check)

    def test_python_reads_the_senders(self):
        def check(header):
            self.assertEqual([v.address.addr_spec
                              for v in values(header, "Sender")], [RELAY])
        self.each({"behalf"}, check)

    def test_python_reads_answers_to_an_address(self):
        def check(header):
            self.assertEqual([a.addr_spec for v in values(header, "Reply-To")
                              for a in v.addresses], [DESK])
        self.each({"desk", "stay-desk"}, check)

    def test_python_reads_answers_to_the_old_from(self):
        def check(header):
            for found in values(header, "Reply-To"):
                for address in found.addresses:
                    self.assertRegex(address.addr_spec,
                                     r"^[^@]+@[^@]+\.[a-z]+$")
        self.each({"me", "named"}, check)

    def test_nodemailer_reads_the_same(self):
        folder = HERE / "nodemailer"
        self.assertTrue((folder / "node_modules/nodemailer").exists(),
                        "run npm ci in tests/e2e/nodemailer")
        for field, hows, wanted in (("From", OURS, RELAY),
                                    ("Reply-To", {"desk", "stay-desk"}, DESK),
                                    ("Sender", {"behalf"}, RELAY)):
            headers = [(name, header) for name, how, header in examples()
                       if how in hows]
            said = subprocess.run(
                ["node", "-e", SCRIPT], cwd=folder, check=True, text=True,
                input=json.dumps([unfolded(h, field) for _, h in headers]),
                capture_output=True).stdout
            for (name, _), found in zip(headers, json.loads(said)):
                with self.subTest(name=name, field=field):
                    self.assertEqual([a["address"] for a in found], [wanted])


if __name__ == "__main__":
    unittest.main()
