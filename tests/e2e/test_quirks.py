"""Devices as they are: each quirk of the table (quirks/README.md) is said to
the real server as the device says it, step by step; whole, without waiting;
each octet a segment of its own; and cut in two at every octet.  The outcome is
the same each time: the replies, what the provider gets, what the log says.

    test_quirks.py --table > quirks/README.md     writes the table anew
    QUIRKS="Q01 Q17" test_quirks.py               only these
    QUIRKS_CUTS=no test_quirks.py                 without the cuts
"""

import base64
import concurrent.futures
import itertools
import os
import re
import sys
import threading

from e2e_messages import well_formed
from e2e_providers import PracticeProvider
from e2e_quirks import Quirk, Replay, Settler
from e2e_tools import HERE, free_port, loopback, wait_until
from lanpost_e2e import Lanpost, TestCase, main

FOLDER = HERE / "quirks"
WORKERS = 24
# Listeners beside the first, `plain`.
LISTENERS = {
    "plain": "",
    "impatient": "timeout = 4s\n",
    "strict": "strict = yes\n",
    "starttls": "tls = starttls\n",
    "required": "tls = required\n",
    "implicit": "tls = implicit\n",
    "legacy": "tls = starttls\ntls_min = 1.0\n",
}
# What the short messages here lack on purpose.
USUAL = ("Date added", "Message-ID added", "From missing", "From added",
         "To: undisclosed-recipients added")


def load():
    chosen = os.environ.get("QUIRKS", "").split()
    return {path.stem: Quirk(path) for path in sorted(FOLDER.glob("Q*.quirk"))
            if not chosen or path.stem in chosen}


def leveled(raw, token, identity):
    """A message without what differs from one time to the next."""
    raw = raw.replace(token.encode(), b"TOKEN").replace(identity.encode(),
                                                        b"ID")
    return re.sub(rb"\w{3}, +\d+ \w{3} \d{4} [\d:]{8} [+-]\d{4}", b"DATE", raw)


class Quirks(TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.quirks = load()
        cls.sources = {name: loopback(100 + n)
                       for n, name in enumerate(sorted(cls.quirks))}
        cls.provider = PracticeProvider(cls.ca)
        cls.seven = PracticeProvider(cls.ca, caps="PIPELINING SIZE")
        for part in (cls.provider, cls.seven):
            part.start()
            cls.addClassCleanup(cls._end, part)
        cls.lanpost = cls.server()
        cls.addClassCleanup(cls._end, cls.lanpost)
        cls.lanpost.start()
        cls.local = threading.local()
        cls.replays = cls.play()
        cls.collect()

    @classmethod
    def server(cls):
        caps = {"max_connections": "900", "max_connections_per_client": "900"}
        lanpost = Lanpost(
            account=cls.provider.account(
                senders="scanner@contoso.test, *@lan.test", connections=6,
                messages_per_connection=5000),
            relay={"log_level": "info"},
            listener=caps)
        cls.addresses = {"plain": lanpost.address}
        more = []
        if any("account = seven" in q.rule for q in cls.quirks.values()):
            more.append("[account seven]\n" + "".join(
                f"{key} = {value}\n" for key, value in cls.seven.account(
                    senders="scanner@contoso.test, *@lan.test",
                    password=None).items())
                + f"password_file = {lanpost.folder}/password\n")
        for name in {q.listener for q in cls.quirks.values()} - {"plain"}:
            cls.addresses[name] = (loopback(), free_port(loopback()))
            more.append(f"[listener {name}]\naddress = %s:%d\n"
                        % cls.addresses[name] + LISTENERS[name] + "".join(
                            f"{k} = {v}\n" for k, v in caps.items()))
        for name, quirk in cls.quirks.items():
            if quirk.device:
                more.append(f"[device {name}]\n"
                            f"address = {cls.sources[name]}\n"
                            + "".join(line + "\n" for line in quirk.device))
            if quirk.rule:
                client = name if quirk.device else cls.sources[name]
                more.append(f"[rule {name}]\nclient = {client}\n"
                            + "".join(line + "\n" for line in quirk.rule))
        lanpost.more = "\n".join(more)
        return lanpost

    @classmethod
    def play(cls):
        """All dialogues in all ways, many at a time; those that fail step by
        step are not said again."""
        replays = cls.said([Replay(quirk, "polite", cls.token(quirk), None)
                            for quirk in cls.quirks.values()])
        failed = {r.quirk for r in replays if r.complaint}
        again = []
        for quirk in cls.quirks.values():
            if quirk not in failed:
                ways = [("whole", None), ("octets", None)]
                ways = ways[:1] if quirk.length() > 5000 else ways
                if os.environ.get("QUIRKS_CUTS") != "no":
                    ways += [("cut", cut) for cut in quirk.positions()]
                again += [Replay(quirk, mode, cls.token(quirk), cut)
                          for mode, cut in ways]
        return replays + cls.said(again)

    tokens = itertools.count()

    @classmethod
    def token(cls, quirk):
        return f"{quirk.name.lower()}-{next(cls.tokens):05d}"

    @classmethod
    def said(cls, replays):
        # What waits for a timeout first, then what takes the most segments.
        order = sorted(replays, key=lambda r: (
            r.quirk.listener != "impatient", r.mode != "octets"))
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(cls.one, order))
        return replays

    @classmethod
    def one(cls, replay):
        settle = getattr(cls.local, "settle", None)
        if settle is None:
            settle = cls.local.settle = Settler(cls.lanpost.address,
                                                loopback(99))
        name = replay.quirk.name
        try:
            replay.run(cls.addresses[replay.quirk.listener],
                       cls.sources[name], settle)
        except Exception as error:  # told by the quirk's own test
            replay.complaint = f"{type(error).__name__}: {error}"

    @classmethod
    def collect(cls):
        """Wait for the queue to be empty, then read what came and the log."""
        def settled():
            taken = len(cls.lanpost.events("accepted"))
            done = sum(len(cls.lanpost.events(name)) for name in
                       ("delivered", "failed", "deferred"))
            return taken if done >= taken else None
        wait_until(settled, "the queue to be empty", 300,
                   why=lambda: cls.lanpost.log_text()[-3000:])
        cls.arrived, cls.by_id = cls.provider.arrived(), {}
        cls.arrived += cls.seven.arrived()
        for message in cls.arrived:
            identity = re.search(r"\bid (\S+);", message.get("Received")[0])[1]
            cls.by_id.setdefault(identity, []).append(message)
        cls.events = {}
        for event in cls.lanpost.events():
            cls.events.setdefault(event.get("client"), []).append(event)
        cls.repaired = {event["id"]: event["repairs"]
                        for event in cls.lanpost.events("repaired")}
        cls.log = cls.lanpost.log_text()

    def check(self, name):
        quirk = self.quirks[name]
        mine = [r for r in self.replays if r.quirk is quirk]
        complaints = [f"{r}: {r.complaint}" for r in mine if r.complaint]
        self.assertEqual(len(complaints), 0, f"{len(complaints)} of "
                         f"{len(mine)}:\n" + "\n".join(complaints[:4]))
        standard = None
        for replay in mine:
            with self.subTest(str(replay)):
                got = self.outcome(replay)
                if standard is None:
                    standard = got
                    self.check_messages(quirk, replay)
                self.assertEqual(got, standard, "not as it was said politely")
        self.check_log(quirk)

    def ids(self, replay):
        """The queue's names of a replay's messages."""
        told = re.findall(r"Queued as (\w+)", " ".join(replay.replies))
        silent = [identity for identity, messages in self.by_id.items()
                  if identity not in told
                  and replay.token.encode() in messages[0].raw] \
            if len(told) < len(replay.quirk.messages) else []
        return told + sorted(silent)

    def outcome(self, replay):
        """What must be the same however the dialogue was said."""
        result = []
        for identity in self.ids(replay):
            for message in self.by_id.get(identity, []):
                result.append((
                    message.sender, message.recipients,
                    leveled(message.raw, replay.token, identity),
                    re.sub(r"\d+", "N", self.repaired.get(identity, ""))))
        return result

    def check_messages(self, quirk, replay):
        ids = self.ids(replay)
        arrived = [m for i in ids for m in self.by_id.get(i, [])]
        self.assertEqual(len(arrived), len(quirk.messages),
                         f"messages that arrived; {replay.replies}")
        for wanted, message in zip(quirk.messages, arrived):
            self.check_message(wanted, message, replay.token)
        self.check_repairs(quirk, [self.repaired.get(i, "") for i in ids])

    def check_message(self, wanted, message, token):
        text = message.raw.decode("utf-8", "backslashreplace")
        self.assertEqual(well_formed(message), [], text)
        if wanted.to is not None:
            self.assertEqual(message.recipients,
                             [to.replace("{token}", token)
                              for to in wanted.to])
        if wanted.sender is not None:
            self.assertEqual(message.sender, wanted.sender)
        for name, pattern in wanted.fields:
            values = message.get(name)
            self.assertEqual(len(values), 1, f"{name} in\n{text}")
            self.assertRegex(values[0], pattern.replace("{token}", token))
        for name in wanted.absent:
            self.assertEqual(message.get(name), [])
        if wanted.body is not None:
            self.assertEqual(message.body.replace(token.encode(), b"{token}"),
                             wanted.body)
        for pattern in wanted.body_like:
            self.assertRegex(message.body, re.compile(
                pattern.replace("{token}", token).encode(), re.S))

    def check_repairs(self, quirk, got):
        if quirk.repaired == "any":
            return
        wanted = ([] if quirk.repaired == "none"
                  else [w.strip() for w in quirk.repaired.split(";")])
        line = ", ".join(filter(None, got))
        for text in wanted:
            self.assertIn(text, line)
        rest = line
        for text in sorted([*wanted, *USUAL], key=len, reverse=True):
            rest = rest.replace(text, "")
        self.assertEqual(rest.strip(", "), "", f"repaired without need; {line}")

    def check_log(self, quirk):
        events = self.events.get(quirk.name if quirk.device
                                 else self.sources[quirk.name], [])
        for wanted in quirk.log:
            event, rest = wanted.split(" ", 1)
            key, _, pattern = rest.partition("~")
            found = [e for e in events if e.name == event
                     and re.search(pattern, e.get(key, ""), re.S)]
            self.assertTrue(found, f"no {wanted} in\n" + "\n".join(
                e.line for e in events[:12]))
        if quirk.quiet == "yes":
            self.assertEqual([e.line for e in events], [])
        for secret in quirk.secret:
            plain = secret.encode()
            for form in (plain, base64.b64encode(plain),
                         base64.b64encode(b"\0scan\0" + plain)):
                self.assertNotIn(form.decode(), self.log)

    def test_nothing_else_arrived(self):
        """Each message at the provider belongs to one 250 of one device."""
        known = [i for r in self.replays for i in self.ids(r)]
        self.assertEqual(sorted(set(self.by_id) - set(known)), [])
        twice = [i for i, messages in self.by_id.items() if len(messages) != 1]
        self.assertEqual(twice, [])

    def test_log_is_one_line_an_event(self):
        """Nothing of a device breaks the log: each line is one event."""
        for line in self.log.splitlines():
            self.assertRegex(line, r"\A\d{4}-\d\d-\d\dT[\d:.]+Z (error|warn|"
                             r"info|debug) [a-z-]+( |\Z)")
            self.assertTrue(line.isascii() or line.isprintable(), line)

    def test_table(self):
        """quirks/README.md is what --table writes."""
        if "QUIRKS" not in os.environ:
            self.assertEqual((FOLDER / "README.md").read_text(), table())
            numbers = {quirk.quirk for quirk in self.quirks.values()}
            self.assertEqual(numbers, {f"Q{n:02d}" for n in range(1, 71)})


def add_tests():
    for name in load():
        setattr(Quirks, f"test_{name}",
                lambda self, name=name: self.check(name))


def table():
    words = {"A": "accept", "R": "repair", "X": "refuse"}
    rows = "".join(
        f"| [{q.quirk}]({q.name}.quirk) | {q.title} ({q.who}) | "
        f"{words[q.policy]} | {q.does} | `test_{q.name}` |\n"
        for q in load().values())
    return INTRODUCTION + rows


INTRODUCTION = """\
# What devices do, and what lanpost does about it

Each row is a file with the dialogue of such a device, and a test of
[test_quirks.py](../test_quirks.py) that says it to the real server: step by
step, whole, octet by octet, and cut in two at every octet. Some cuts are left
out: in long dialogues behind the first 2048 octets, but for those around line
ends; in lines over 200 octets all but every fiftieth; within the lines that
most dialogues have, `EHLO d.lan` and the like, except in Q12, Q37 and Q51; and
in dialogues that wait for a timeout. The keys of a file are explained at the
top of [e2e_quirks.py](../e2e_quirks.py). This page is written by
`test_quirks.py --table`.

| quirk | what the device does | policy | what lanpost does | test |
| --- | --- | --- | --- | --- |
"""


add_tests()

if __name__ == "__main__":
    if "--table" in sys.argv:
        print(table(), end="")
    else:
        main()
