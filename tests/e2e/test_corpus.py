"""Messages as they really are, sent by the real server as its account: every
one that comes out is read by Python's email, by its older form, and by
Nodemailer's parser, to the fields that corpus/ expects.  And header bombs:
refused, while others are served."""

import os
import pathlib
import re
import tempfile
import threading

from e2e_corpus import (FOLDER, NOW, Case, by_compat32, by_nodemailer, by_policy,
                        folded)
from e2e_messages import well_formed
from e2e_providers import PracticeProvider
from e2e_tools import wait_until
from lanpost_e2e import Lanpost, TestCase, main

IDENTITY = "scanner@contoso.test"
READERS = ("policy", "compat32", "nodemailer")


def load():
    chosen = os.environ.get("CORPUS", "").split()
    return {path.stem: Case(path) for path in sorted(FOLDER.glob("*.mail"))
            if not chosen or path.stem in chosen}


class Corpus(TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cases = load()
        cls.provider = PracticeProvider(cls.ca)
        cls.lanpost = Lanpost(account=cls.provider.account())
        for part in (cls.provider, cls.lanpost):
            part.start()
            cls.addClassCleanup(cls._end, part)
        cls.replies = {name: cls.hand_in(case)
                       for name, case in cls.cases.items()}
        cls.ids = {name: reply.rpartition(" ")[2]
                   for name, reply in cls.replies.items()
                   if reply.startswith("250")}
        wait_until(lambda: sum(
            len(cls.lanpost.events(name)) for name in
            ("delivered", "failed", "deferred")) >= len(cls.ids),
            "the queue to be empty", why=lambda: cls.lanpost.log_text()[-2000:])
        cls.arrived = {}
        for message in cls.provider.arrived():
            identity = re.search(r"\bid (\S+);", message.get("Received")[0])[1]
            cls.arrived[identity] = message
        cls.read_all()

    @classmethod
    def hand_in(cls, case):
        client = cls.lanpost.raw()
        for line in ("EHLO device.lan", f"MAIL FROM:<{case.sender}>",
                     "RCPT TO:<boss@example.test>", "DATA"):
            reply = client.ask(line)
        if reply[:3] == "354":
            client.send(re.sub(rb"(?m)^\.", b"..", case.message) + b".\r\n")
            reply = client.reply()
        client.close()
        return reply

    @classmethod
    def read_all(cls):
        cls.seen = {}
        folder = pathlib.Path(tempfile.mkdtemp(dir=cls.ca_folder))
        paths, names = [], []
        for name, identity in cls.ids.items():
            if identity in cls.arrived:
                names.append(name)
                paths.append(folder / f"{name}.eml")
                paths[-1].write_bytes(cls.arrived[identity].raw)
        for name, path, node in zip(names, paths, by_nodemailer(paths)):
            raw = path.read_bytes()
            cls.seen[name] = {"nodemailer": node}
            for reader, read in (("policy", by_policy),
                                 ("compat32", by_compat32)):
                try:
                    cls.seen[name][reader] = read(raw)
                except Exception as error:  # told by the case's own test
                    cls.seen[name][reader] = error

    def check(self, name):
        case = self.cases[name]
        self.assertRegex(self.replies[name], "^250 2.0.0")
        self.assertIn(name, self.seen, "did not arrive")
        message = self.arrived[self.ids[name]]
        text = message.raw[:4000].decode("utf-8", "backslashreplace")
        self.assertEqual(well_formed(message), [], text)
        self.assertEqual(message.sender, IDENTITY)
        for field in case.none:
            self.assertEqual(message.get(field), [], text)
        for reader in READERS:
            with self.subTest(reader):
                seen = self.seen[name][reader]
                if isinstance(seen, Exception):
                    raise AssertionError(f"{seen!r} in\n{text}")
                for key, wanted in self.wanted(case).items():
                    if (reader, key) not in case.differs:
                        self.assertEqual(self.as_seen(key, seen), wanted,
                                         f"{key} in\n{text}")
        self.agree(case)

    def wanted(self, case):
        """What every reader is to see."""
        wanted = {"attachments": sorted(case.attachments)}
        if case.name != "any":
            wanted["from"] = [[case.name or "", IDENTITY]]
        if case.subject is not None:
            wanted["subject"] = folded(case.subject)
        if case.text is not None:
            wanted["text"] = folded(case.text)
        if case.reply_to is not None:
            wanted["reply_to"] = ([] if case.reply_to == "none"
                                  else case.reply_to.split())
        if case.to != "*":
            wanted["to"] = case.to.split()
        if case.date == "same":
            wanted["date"] = NOW
        if case.message_id == "same":
            found = re.search(rb"(?mi)^Message-ID:\s*(\S+)", case.message)[1]
            wanted["message_id"] = found.decode()
        return wanted

    @staticmethod
    def as_seen(key, seen):
        value = seen[key]
        if key in ("reply_to", "to"):
            return [address for _, address in value]
        if key in ("subject", "text"):
            return folded(value)
        if key == "attachments":
            return sorted(map(list, value))
        return value

    def agree(self, case):
        """Where the file does not say, the readers agree all the same."""
        all_seen = self.seen[case.id]
        for key in ("subject", "from", "to", "reply_to", "date", "message_id",
                    "attachments"):
            views = {reader: self.as_seen(key, all_seen[reader])
                     for reader in READERS if (reader, key) not in case.differs
                     and not isinstance(all_seen[reader], Exception)}
            first = next(iter(views.values()), None)
            with self.subTest(f"the readers about {key}"):
                self.assertEqual(views, {r: first for r in views})

    def test_there_are_enough(self):
        if "CORPUS" not in os.environ:
            self.assertGreaterEqual(len(self.cases), 80)


def add_tests():
    for name in load():
        setattr(Corpus, f"test_{name}",
                lambda self, name=name: self.check(name))


class Bombs(TestCase):
    """554 5.6.0, and the server answers others in the middle of it."""

    BOMBS = {
        "a line of a megabyte": b"Subject: " + b"x" * (1 << 20) + b"\r\n",
        "a folded field of a megabyte":
            b"Subject: x\r\n" + (b" " + b"x" * 70 + b"\r\n") * 15000,
        "100,000 fields": b"X: y\r\n" * 100000,
        "100,000 long fields": b"X-Field-Of-Some-Length: y\r\n" * 100000,
        "10,000 nested comments":
            b"From: " + b"(" * 10000 + b")" * 10000 + b" a@x.test\r\n",
        "10,000 open comments": b"From: " + b"(" * 10000 + b"a@x.test\r\n",
        "10,000 nested comments, folded":
            b"From: a@x.test\r\n" + b" (\r\n" * 10000 + b" )\r\n" * 10000,
        "no empty line": b"X-Header: " + b"y" * 60 + b"\r\n",
    }

    def bomb(self, client, data, other):
        """Send it in pieces, with a word to the other client between."""
        for start in range(0, len(data), 32768):
            client.send(data[start:start + 32768])
            self.assertEqual(other.ask("NOOP")[:3], "250")

    def test_bombs(self):
        provider = self.start(PracticeProvider(self.ca))
        lanpost = self.start(Lanpost(account=provider.account()))
        for name, head in self.BOMBS.items():
            with self.subTest(name):
                if name == "no empty line":
                    head *= 20000
                client, other = lanpost.raw(), lanpost.raw()
                for line in ("EHLO x", "MAIL FROM:<a@lan.test>",
                             "RCPT TO:<b@example.test>", "DATA"):
                    self.assertRegex(client.ask(line), "^[23]")
                end = b"" if name == "no empty line" else b"\r\nbody\r\n"
                self.bomb(client, head + end + b".\r\n", other)
                self.assertRegex(client.reply(), r"^554 5\.6\.0 ")
                self.assertEqual(client.ask("RSET")[:3], "250",
                                 "the session goes on")
                client.close()
                other.close()
        self.assertEqual(lanpost.events("accepted"), [])
        lanpost.send(b"Subject: fine\r\n\r\nx\r\n")
        self.assertEqual(len(provider.wait_arrived()), 1)

    def test_many_bombs_at_once(self):
        """Eight in parallel; a scanner's mail goes through meanwhile."""
        provider = self.start(PracticeProvider(self.ca))
        lanpost = self.start(Lanpost(account=provider.account()))
        head = self.BOMBS["100,000 long fields"] + b"\r\n.\r\n"
        clients = [lanpost.raw() for _ in range(8)]
        for client in clients:
            for line in ("EHLO x", "MAIL FROM:<a@lan.test>",
                         "RCPT TO:<b@example.test>", "DATA"):
                client.ask(line)
        threads = [threading.Thread(target=client.send, args=(head,))
                   for client in clients]
        for thread in threads:
            thread.start()
        for number in range(5):
            lanpost.send(b"Subject: %d\r\n\r\nx\r\n" % number)
        for thread, client in zip(threads, clients):
            thread.join()
            self.assertRegex(client.reply(), r"^554 5\.6\.0 ")
            client.close()
        provider.wait_arrived(5)

    def test_what_is_large_but_honest_passes(self):
        """1,000 fields, a long References, 500 recipients in To."""
        provider = self.start(PracticeProvider(self.ca))
        lanpost = self.start(Lanpost(account=provider.account()))
        lanpost.send(
            b"Subject: honest\r\n" + b"".join(
                b"X-%d: %s\r\n" % (n, b"v" * 60) for n in range(1000))
            + b"References: " + b"".join(
                b"\r\n <%d.%s@x.test>" % (n, b"r" * 60) for n in range(300))
            + b"\r\nTo: " + b",\r\n ".join(
                b"r%d@example.test" % n for n in range(500))
            + b"\r\nFrom: " + b"(" * 20 + b")" * 20 + b" a@x.test\r\n\r\nx\r\n")
        (got,) = provider.wait_arrived()
        self.assertEqual(well_formed(got), [])
        self.assertEqual(got.get("X-999"), ["v" * 60])


add_tests()

if __name__ == "__main__":
    main()
