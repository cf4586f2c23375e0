"""Bodies that a provider may not take: 8-bit text where 8BITMIME is not offered,
lines of any length, text that nobody declared.  What arrives reads as what was
sent; what is signed arrives octet for octet, or not at all."""

import email
import email.utils
import email.header

from e2e_devices import signed
from e2e_providers import PracticeProvider
from lanpost_e2e import Lanpost, TestCase, main

LINE_MAX = 998
GREETING = "Grüße vom Kopierer, 5 € = günstig. \r\n.\r\n--b\r\n\r\n"

WITHOUT = {"caps": "PIPELINING SIZE"}
WITH = {"caps": "PIPELINING SIZE 8BITMIME"}


def fields(*more):
    return "".join(f"{field}\r\n" for field in (
        "From: printer@lan.test", "To: boss@example.test", "Subject: Scan",
        f"Date: {email.utils.formatdate()}", *more)).encode() + b"\r\n"


def leaf(kind, encoding, content):
    return (f"Content-Type: {kind}\r\n"
            f"Content-Transfer-Encoding: {encoding}\r\n\r\n").encode() + content


def mixed(*parts, boundary="=_x:1"):
    line = b"\r\n--" + boundary.encode()
    return (b"This is MIME.\r\n" + line
            + line.join(b"\r\n" + part for part in parts) + line + b"--\r\n")


TEXT = leaf("text/plain; charset=utf-8", "8bit", GREETING.encode())
HTML = leaf("text/html", "7bit", b"<p>" + b"cell --=_x:1 = " * 140_000)
ONE_LINE = leaf("application/pdf", "base64", b"JVBERi0x" * 5120)
QP_LINE = leaf("text/plain; charset=utf-8", "quoted-printable",
               b"=C3=BC and so on " * 500 + b"=\r\n--=_x:2 \r\nend")
PIXELS = leaf("image/x-raw", "binary", bytes(range(14, 256)) * 400)
LATIN = leaf("text/html; charset=iso-8859-1", "8-bit",
             "Gr\xfc\xdfe\t \r\n".encode("latin-1") * 20_000)
INNER = (b"Content-Type: message/rfc822\r\n\r\n" + fields("MIME-Version: 1.0")
         [:-2] + TEXT)
MIXED = fields("MIME-Version: 1.0",
               'Content-Type: multipart/mixed; boundary="=_x:1"',
               "Content-Transfer-Encoding: 8bit")
RELATED = (b'Content-Type: multipart/related; boundary="=_x:12"\r\n\r\n'
           + mixed(HTML, ONE_LINE, boundary="=_x:12"))

STORIES = {
    "8-bit text": fields("MIME-Version: 1.0")[:-2] + TEXT,
    "nothing declared": fields() + GREETING.encode(),
    "nothing declared, windows-1252": fields() + GREETING.encode("cp1252"),
    "HTML of 2 MB in one line": fields("MIME-Version: 1.0")[:-2] + HTML,
    "base64 of 40 KB in one line": fields("MIME-Version: 1.0")[:-2] + ONE_LINE,
    "all of it": MIXED + mixed(TEXT, ONE_LINE, RELATED, QP_LINE, PIXELS, LATIN,
                               INNER),
}


def reading(octets):
    """What a mail program makes of it: kind and content of each part, line
    ends at the end of a message aside."""
    return [(part.get_content_type(),
             None if part.is_multipart() else
             part.get_payload(decode=True).rstrip(b"\r\n"))
            for part in email.message_from_bytes(octets).walk()]


class Content(TestCase):
    def pair(self, account=None, **options):
        provider = self.start(PracticeProvider(self.ca, **options))
        keys = provider.account(**(account or {}))
        return provider, self.start(Lanpost(account=keys))

    def check(self, sent, arrived, to_7bit):
        self.assertEqual(reading(arrived), reading(sent))
        lines = arrived.split(b"\r\n")
        self.assertLessEqual(max(map(len, lines)), LINE_MAX)
        if to_7bit:
            self.assertTrue(arrived.isascii())

    def story(self, to_7bit, account=None):
        provider, lanpost = self.pair(account,
                                      **(WITHOUT if to_7bit else WITH))
        for n, (name, sent) in enumerate(STORIES.items()):
            with self.subTest(what=name):
                lanpost.send(sent)
                arrived = provider.wait_arrived(n + 1)[n]
                self.check(sent, arrived.raw, to_7bit)
        self.assertEqual(lanpost.events("failed"), [])
        return provider, lanpost

    def test_without_8bitmime(self):
        self.story(True)

    def test_with_8bitmime(self):
        self.story(False)

    def test_behind_one_another(self):
        """Eager pipelining: the next envelope rides behind the final dot."""
        provider, lanpost = self.pair(
            {"pipelining": "eager", "connections": 1}, **WITHOUT)
        for _ in range(3):
            for sent in STORIES.values():
                lanpost.send(sent)
        arrived = provider.wait_arrived(3 * len(STORIES))
        for mail in arrived:
            self.assertTrue(mail.raw.isascii())
        made = sorted(repr(reading(mail.raw)) for mail in arrived)
        self.assertEqual(made, sorted(
            repr(reading(sent)) for sent in STORIES.values()
            for _ in range(3)))

    def test_charset_of_what_was_not_declared(self):
        provider, lanpost = self.pair(**WITH)
        for n, charset in enumerate(("utf-8", "windows-1252")):
            lanpost.send(fields() + GREETING.encode(charset))
            made = email.message_from_bytes(provider.wait_arrived(n + 1)[n].raw)
            self.assertEqual(made.get_content_charset(), charset)
            self.assertEqual(made["Content-Transfer-Encoding"], "8bit")
            self.assertEqual(made["MIME-Version"], "1.0")
            self.assertEqual(made.get_payload(decode=True).decode(charset),
                             GREETING)

    def test_file_names(self):
        """As they were written, in the charset of the device."""
        for charset in ("utf-8", "cp1252"):
            with self.subTest(charset=charset):
                provider, lanpost = self.pair(**WITHOUT)
                part = ("Content-Type: application/pdf; name=\"März ß.pdf\"\r\n"
                        "Content-Disposition: attachment; "
                        "filename=\"März ß.pdf\"\r\n"
                        "Content-Transfer-Encoding: base64\r\n\r\n"
                        "JVBERg==").encode(charset)
                lanpost.send(MIXED + mixed(part))
                raw = provider.wait_arrived(1)[0].raw
                self.assertTrue(raw.isascii())
                made = email.message_from_bytes(raw).get_payload(0)
                self.assertEqual(made.get_filename(), "März ß.pdf")
                self.assertEqual(made.get_payload(decode=True), b"%PDF")

    def test_signed(self):
        provider, lanpost = self.pair(**WITH)
        sent = signed("whole")
        lanpost.send(sent)
        arrived = provider.wait_arrived(1)[0]
        self.assertEqual(arrived.body, sent.partition(b"\r\n\r\n")[2])

    def test_signed_without_8bitmime(self):
        """A part of it could be made 7-bit; not all, so none is sent."""
        provider, lanpost = self.pair(**WITHOUT)
        inner = signed("x").partition(b"MIME-Version: 1.0\r\n")[2]
        lanpost.send(MIXED + mixed(TEXT, inner))
        failed = lanpost.wait_event("failed")
        self.assertIn("5.6.3", failed["reply"])
        self.assertIn("signature", failed["explanation"])
        self.assertEqual(provider.arrived(), [])

    def test_dkim(self):
        """A signature that stays covers the body; one that the new sender
        breaks goes, and the body may be mended."""
        sent = (b"DKIM-Signature: v=1; a=rsa-sha256; d=lan.test; s=s;\r\n"
                b" h=from; bh=x; b=y\r\n" + STORIES["8-bit text"])
        provider, lanpost = self.pair({"sender_policy": "pass"}, **WITHOUT)
        lanpost.send(sent)
        self.assertIn("5.6.3", lanpost.wait_event("failed")["reply"])
        provider, lanpost = self.pair(**WITHOUT)
        lanpost.send(sent)
        raw = provider.wait_arrived(1)[0].raw
        self.assertNotIn(b"DKIM-Signature", raw)
        self.check(sent, raw, True)

    def test_untouched(self):
        """What needs nothing is not touched."""
        provider, lanpost = self.pair(**WITH)
        for n, part in enumerate((TEXT, LATIN, INNER)):
            sent = MIXED + mixed(part)
            lanpost.send(sent)
            arrived = provider.wait_arrived(n + 1)[n]
            self.assertEqual(arrived.body, sent.partition(b"\r\n\r\n")[2])


if __name__ == "__main__":
    main()
