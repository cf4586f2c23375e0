"""What does it mean?  `explain` answers for a reply, wherever it was copied
from; an administrator's own entries count, and a broken one is named, at start
and at a reload, which leaves the old ones in force."""

import json
import signal
import subprocess

from e2e_devices import scan
from e2e_providers import PracticeProvider
from e2e_tools import HERE, built
from lanpost_e2e import DEADLINE, Lanpost, TestCase, main

USAGE, DATA, CONFIG = 64, 65, 78

TENANT = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication " \
    "is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for " \
    "more information. [AM0PR0.eurprd05.prod.outlook.com 2026-11-20T10:11:12Z]"

OWN = """[copier-room]
code = 550
pattern = the copier room is closed
title = Nobody is in the copier room
explanation = The gateway takes scans in office hours only.
fix = Come back at nine, or ask for the key.  ACCOUNT knows where ADDRESS is.
disposition = {disposition}
"""


class Explain(TestCase):
    def explain(self, *arguments, pasted=None, code=0, config="/nonexistent/x",
                empty=False):
        """Standard output; without a configuration, if none is given."""
        done = subprocess.run(
            [built("lanpost"), "-c", config, "explain", *arguments],
            input=(pasted or "") if pasted is not None or empty else None,
            stdin=None if pasted is not None or empty
            else subprocess.DEVNULL,
            capture_output=True, text=True, errors="surrogateescape",
            timeout=DEADLINE)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        self.said = done.stderr
        return done.stdout

    def reason(self, *arguments, **more):
        return json.loads(self.explain("--json", *arguments, **more))["reason"]

    def test_fields_that_others_build_on(self):
        answer = json.loads(self.explain(TENANT, "--json"))
        self.assertEqual(answer["reason"], "m365-smtp-auth-disabled-tenant")
        self.assertEqual(answer["disposition"], "pause-account")
        self.assertIn("Set-CASMailbox", answer["fix"])
        self.assertLessEqual(len(answer["title"]), 64)
        self.assertTrue(answer["explanation"].endswith("."))
        self.assertEqual(answer["page"], "https://aka.ms/smtp_auth_disabled")
        self.assertIsNone(answer["provider"])
        answer = json.loads(self.explain(TENANT, "--json", "--provider",
                                         "office365"))
        self.assertEqual(answer["provider"], "office365")

    def test_for_people(self):
        text = self.explain(TENANT)
        for words in ("SMTP login is switched off", "what it means",
                      "what to do", "what lanpost does",
                      "https://aka.ms/smtp_auth_disabled",
                      "m365-smtp-auth-disabled-tenant"):
            self.assertIn(words, text)
        for line in text.splitlines():
            self.assertLessEqual(len(line), 80, line)

    def test_the_line_ends_of_any_system(self):
        for end in ("\n", "\r\n", "\r"):
            text = self.explain(pasted=f"550-5.7.26 This mail{end}"
                                       f"550 5.7.26 has been blocked{end}")
            self.assertRegex(text, r"^reply +550-5.7.26 This mail +550 5.7.26 "
                                   r"has been blocked\n")

    def test_wherever_it_was_copied_from(self):
        for pasted in (
                TENANT,
                TENANT.upper(),
                TENANT.replace("535 ", "535-").replace(" is ", "\n535 5.7.139 "
                                                       "is "),
                f"smtplib.SMTPAuthenticationError: {(535, TENANT[4:].encode())}",
                f"Nov 20 10:11:12 relay postfix/smtp[7]: 4F2: to=<a@b.test>, "
                f"status=deferred (SASL authentication failed; server "
                f"smtp.office365.com[192.0.2.1] said: {TENANT})",
                f'warn deferred id=1m7y1t68wxm5b to=a@b.test reply="{TENANT}" '
                'reason=login-refused',
                json.dumps({"event": "deferred", "reply": TENANT})):
            with self.subTest(pasted=pasted):
                for given in ({"pasted": pasted}, {}):
                    self.assertEqual(
                        self.reason(*([] if given else [pasted]), **given),
                        "m365-smtp-auth-disabled-tenant")

    def test_words_need_no_quotes(self):
        self.assertEqual(self.reason(*TENANT.split()),
                         "m365-smtp-auth-disabled-tenant")
        self.assertEqual(self.reason("-", pasted=TENANT),
                         "m365-smtp-auth-disabled-tenant")
        self.assertEqual(self.reason("421", "4.7.0", "Try", "again", "later,",
                                     "closing", "connection.", "x-1", "-",
                                     "gsmtp"), "gmail-try-later")
        self.assertEqual(self.reason("--", "535 5.7.3 --json"),
                         "login-refused")

    def test_an_id_shows_its_entry(self):
        self.assertIn("daily limit", self.explain("gmail-daily-user-limit"))
        self.assertEqual(self.reason("m365-account-locked"),
                         "m365-account-locked")

    def test_stage_and_provider_decide_where_words_do_not(self):
        self.assertEqual(self.reason("550 krzzt", "--stage", "rcpt"),
                         "recipient-refused")
        self.assertEqual(self.reason("550 krzzt", "--stage", "data-end"),
                         "message-refused")
        same = "535 5.7.3 Authentication unsuccessful"
        self.assertEqual(self.reason(same, "--provider", "acs"),
                         "acs-auth-failed")
        self.assertEqual(self.reason(same, "--provider", "office365"),
                         "m365-auth-unsuccessful")

    def test_garbage_gets_the_sound_answer(self):
        for garbage in ("krzzt", "\x1b]0;owned\x07", "\xff\xfe", "%s%n",
                        "[[[[", "HTTP", "0", "x" * 100000):
            with self.subTest(garbage=garbage[:20]):
                self.assertEqual(self.reason(pasted=garbage), "unknown")

    def test_hostile_text_is_harmless(self):
        hostile = "550 5.1.1 \x1b[2J\x1b]0;owned\x07\r\nSubject: x\r\n" + \
            "\u202e" + "A" * 100000
        text = self.explain(pasted=hostile)
        self.assertTrue(text.isascii(), text)
        for code in ("\x1b", "\x07", "\r"):
            self.assertNotIn(code, text)
        self.assertLess(len(text), 10000)

    def test_nothing_to_explain(self):
        for nothing in ("", " \n\t "):
            self.explain(pasted=nothing, code=DATA)
            self.assertIn("nothing to explain", self.said)
        self.explain("", code=DATA)
        self.explain(code=DATA)   # an empty file

    def test_usage(self):
        for arguments, words in (
                (["x", "--provider", "ofice365"], 'did you mean "office365"?'),
                (["x", "--provider", "nobody-at-all"], "lanpost providers"),
                (["x", "--provider"], "no preset"),
                (["x", "--stage", "autn"], 'did you mean "auth"?'),
                (["x", "--wrong"], "--wrong")):
            self.explain(*arguments, code=USAGE)
            self.assertIn(words, self.said)

    def test_what_the_practice_provider_says(self):
        """Each refusal of its scripts has an entry of its own."""
        for script in sorted((HERE.parent / "provider/scripts").glob(
                "*.script")):
            for line in script.read_text("utf-8").splitlines():
                if not line.startswith("stage=") or 'reply="' not in line:
                    continue
                reply = line.split('reply="')[1].split('"')[0]
                stage = line.split()[0].removeprefix("stage=")
                if reply[0] not in "45" or stage == "idle":
                    continue
                with self.subTest(script=script.name, reply=reply):
                    self.assertNotIn(
                        self.reason(reply.replace("\\n", "\n"), "--stage",
                                    stage),
                        ("unknown", "refused", "deferred"))


class OwnEntries(TestCase):
    def write(self, lanpost, text, name="own.ini"):
        folder = lanpost.folder / "catalogue.d"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text)

    def pair(self, disposition):
        provider = self.start(PracticeProvider(
            self.ca, 'stage=data-end match="*" reply="550 5.7.1 Sorry, the '
            'copier  room is CLOSED now"\n'))
        lanpost = Lanpost(account=provider.account())
        self.write(lanpost, OWN.format(disposition=disposition))
        return self.start(lanpost)

    def test_count_in_the_log_and_for_explain(self):
        lanpost = self.pair("reject-message")
        lanpost.send(scan("closed"))
        failed = lanpost.wait_event("failed")
        self.assertEqual(failed["reason"], "copier-room")
        self.assertIn("in office hours only", failed["explanation"])
        self.assertIn("scanner@contoso.test knows where", failed["fix"])
        self.assertNotIn("ADDRESS", failed["fix"])
        explained = json.loads(lanpost.command(
            "explain", "--json", "550 the copier room is closed",
            check=0).stdout)
        self.assertEqual(explained["title"], "Nobody is in the copier room")
        checked = lanpost.command("check", check=0).stdout
        self.assertIn("1 entry of your own in ", checked)
        self.assertEqual(json.loads(lanpost.command(
            "check", "--json", check=0).stdout)["catalogue"]["own"], 1)

    def test_decide(self):
        """A 5xx that somebody knows to heal."""
        lanpost = self.pair("throttle\nwait = 1h")
        lanpost.send(scan("closed"))
        told = lanpost.wait_event("deferred")
        self.assertEqual(told["reason"], "copier-room")
        self.assertEqual(lanpost.wait_event("throttled")["reason"],
                         "copier-room")
        self.assertEqual(lanpost.events("failed"), [])

    def test_a_broken_file_is_named(self):
        lanpost = Lanpost(account={"provider": "office365",
                                   "username": "a@b.test",
                                   "password": "x"})
        self.addCleanup(lanpost.clean)
        lanpost.write_config()
        self.write(lanpost, OWN.format(disposition="reject"))
        path = lanpost.folder / "catalogue.d/own.ini"
        for command in (["check"], ["serve"], ["explain", "x"]):
            said = lanpost.command(*command, check=CONFIG)
            self.assertIn(f"{path}:7: \"reject\" is no disposition",
                          said.stderr + said.stdout)
        self.write(lanpost, "[x]\npatern = krzzt\n")
        said = lanpost.command("check", check=CONFIG)
        self.assertIn(f"{path}:2: unknown key \"patern\"; did you mean "
                      "\"pattern\"?", said.stderr)

    def test_a_reload_keeps_what_is_in_force(self):
        lanpost = self.pair("reject-message")
        mark = lanpost.mark()
        self.write(lanpost, "nonsense\n", "other.ini")
        lanpost.signal(signal.SIGHUP)
        told = lanpost.wait_event("config-error", since=mark)
        self.assertIn("catalogue.d/other.ini:1:", told["error"])
        lanpost.send(scan("still"))
        self.assertEqual(lanpost.wait_event("failed")["reason"],
                         "copier-room")
        (lanpost.folder / "catalogue.d/other.ini").unlink()
        self.write(lanpost, OWN.format(disposition="reject-message").replace(
            "copier-room", "lunch-time"))
        mark = lanpost.mark()
        lanpost.signal(signal.SIGHUP)
        lanpost.wait_event("reloaded", since=mark)
        lanpost.send(scan("again"))
        lanpost.wait_event("failed", reason="lunch-time")


if __name__ == "__main__":
    main()
