"""Every error that the catalogue knows, said by a provider in its real words
(tests/relay/catalogue/words.tsv), to a message of its own: the log, the
history, the waiting device and `explain` give the same reason, with what it
means and what to do."""

import http.client as http_client
import json
import re
import socket
import sqlite3
import urllib.parse

from e2e_devices import scan
from e2e_providers import PracticeProvider
from e2e_tools import DEADLINE, HERE, wait_until
from lanpost_e2e import Lanpost, TestCase, main

WORDS = HERE.parent / "relay/catalogue/words.tsv"
# Who is refused there is known: by the user's name, or by an address.
STAGES = ("auth", "mail", "rcpt", "data", "data-end")


class Line:
    def __init__(self, number, text):
        self.name = f"w{number}"
        self.id, provider, self.stage, words = text.split("\t")
        self.provider = None if provider == "-" else provider
        self.lines = words.split("\\n")
        self.code = self.lines[-1][:3]

    def spoken(self):
        return self.stage in STAGES and re.match(r"[45]\d\d", self.code) \
            and all(re.match(r"\d\d\d[ -]", line) for line in self.lines)

    def rule(self):
        """Octet for octet as the provider sends it."""
        raw = "".join(line + "\r\n" for line in self.lines)
        raw = re.sub(r'[^ !#-\[\]-~]',
                     lambda m: "".join(f"\\x{b:02x}"
                                       for b in m[0].encode("utf-8")), raw)
        return f'stage={self.stage} match="{self.name}@*" raw="{raw}"\n'

    def sections(self, account, secret):
        keys = {**account, "username": f"{self.name}@contoso.test",
                "password_file": secret}
        if self.provider:
            keys["provider"] = self.provider
        return (f"[account {self.name}]\n" +
                "".join(f"{k} = {v}\n" for k, v in keys.items()) +
                f"[rule {self.name}]\nto = {self.name}@example.test\n"
                f"account = {self.name}\n")


def read_words():
    lines = WORDS.read_text("utf-8").split("\n")
    lines = [Line(number, text) for number, text in enumerate(lines, 1)
             if text and not text.startswith("#")]
    return [line for line in lines if line.spoken()]


class Words(TestCase):
    def start_all(self, lines):
        provider = PracticeProvider(self.ca, "".join(l.rule() for l in lines))
        del provider.options["user"]   # any login will do
        self.start(provider)
        account = provider.account(timeout="20s", connections=1)
        account.pop("username")
        secret = provider.folder / "secret"
        secret.write_text(account.pop("password"))
        secret.chmod(0o600)
        return self.start(Lanpost(
            account={**account, "username": "first@contoso.test",
                     "password_file": secret},
            listener={"verdict_wait": "60s"}, relay={"retry": "1h"},
            more="".join(l.sections(account, secret) for l in lines)))

    def hear(self, lanpost, line):
        with lanpost.smtp() as smtp:
            smtp.ehlo()
            smtp.mail("printer@lan.test")
            smtp.rcpt(f"{line.name}@example.test")
            code, text = smtp.data(scan(line.name))
        return code, text.decode("ascii")

    def check_log(self, lanpost, line, since):
        def told():
            return [e for e in lanpost.events(since=since)
                    if e.name in ("failed", "deferred") and
                    f"{line.name}@example.test" in e.get("to", "")]
        event = wait_until(told, f"{line.name} in the log",
                           why=lanpost.log_text)[-1]
        self.assertEqual(event["reason"], line.id, event.line)
        for key in ("explanation", "fix"):
            self.assertTrue(event.get(key), f"no {key}: {event.line}")
        return event

    def check_device(self, line, event, code, text):
        self.assertLessEqual(len(text) + 6, 512, text)
        self.assertIn(f"({line.id}", text)
        self.assertIn(code // 100, (2, 5))
        self.assertEqual(code // 100 == 5, event.name == "failed", text)

    def check_explained(self, lanpost, line):
        """By the server that runs; the command is test_explain.py's."""
        query = {"reply": "\n".join(line.lines), "stage": line.stage}
        if line.provider:
            query["provider"] = line.provider
        told = self.ask(lanpost, "/api/v1/explain?" +
                        urllib.parse.urlencode(query))
        self.assertEqual(told["reason"], line.id, line.lines)
        for key in ("title", "explanation", "fix", "disposition"):
            self.assertTrue(told[key], key)

    def ask(self, lanpost, path):
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(DEADLINE)
            control.connect(str(lanpost.spool / "control.sock"))
            http = http_client.HTTPConnection("localhost")
            http.sock = control
            http.request("GET", path)
            return json.loads(http.getresponse().read())

    def check_history(self, lanpost, lines):
        def reasons():
            with sqlite3.connect(f"file:{lanpost.spool}/lanpost.db?mode=ro",
                                 uri=True) as database:
                return dict(database.execute(
                    "SELECT address, reason FROM recipient"))
        expected = {f"{l.name}@example.test": l.id for l in lines}
        wait_until(lambda: None not in reasons().values(), "the last one")
        self.assertEqual(reasons(), expected)

    def test_all_words(self):
        lines = read_words()
        self.assertGreater(len(lines), 400)
        lanpost = self.start_all(lines)
        for line in lines:
            with self.subTest(id=line.id, stage=line.stage,
                              provider=line.provider, words=line.lines):
                since = lanpost.mark()
                code, text = self.hear(lanpost, line)
                event = self.check_log(lanpost, line, since)
                self.check_device(line, event, code, text)
                self.check_explained(lanpost, line)
        self.check_history(lanpost, lines)
        lanpost.stop()


if __name__ == "__main__":
    main()
