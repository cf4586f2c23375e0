"""verdict_wait: the device hears what the provider says, in its own reply;
whatever is not known in time is the queue's, and never both."""

import os
import smtplib
import sqlite3

from e2e_devices import scan
from e2e_providers import PracticeProvider
from e2e_tools import HERE, wait_until
from lanpost_e2e import Lanpost, TestCase, main

SCRIPTS = HERE.parent / "provider/scripts"


class Verdicts(TestCase):
    def pair(self, script="", wait="60s", account=None, more="", **options):
        provider = self.start(PracticeProvider(self.ca, script, **options))
        keys = provider.account(timeout="5s", **(account or {}))
        return provider, self.start(Lanpost(
            account=keys, listener={"verdict_wait": wait}, more=more))

    def hear(self, lanpost, name, to=("boss@example.test",)):
        """What the device reads at the end of its message."""
        with lanpost.smtp() as smtp:
            smtp.ehlo()
            smtp.mail("printer@lan.test")
            for address in to:
                smtp.rcpt(address)
            code, text = smtp.data(scan(name))
        self.assertLessEqual(len(text) + len("554 \r\n"), 512)
        return code, text.decode("ascii")

    def states(self, lanpost):
        with sqlite3.connect(f"file:{lanpost.spool}/lanpost.db?mode=ro",
                             uri=True) as database:
            return [row[0] for row in database.execute(
                "SELECT state FROM message ORDER BY id")]

    def test_sent(self):
        provider, lanpost = self.pair()
        code, text = self.hear(lanpost, "good")
        self.assertEqual(code, 250)
        self.assertIn("Sent as", text)
        self.assertEqual(len(provider.arrived()), 1)

    def test_refused(self):
        """The words of the real ones: translated, and nothing is queued."""
        for script, user, to, status in (
                ("microsoft", None, "recipient-not-found@example.test",
                 "5.1.10"),
                ("microsoft", "message-too-big@contoso.test", None, "5.3.4"),
                ("gmail", None, "no-such-user@example.test", "5.1.1"),
                ("microsoft", "smtp-auth-disabled-tenant@contoso.test", None,
                 "5.7.139"),
                ("gmail", "app-password-required@contoso.test", None,
                 "5.7.9")):
            with self.subTest(script=script, user=user, to=to):
                text = (SCRIPTS / f"{script}.script").read_text()
                provider = PracticeProvider(self.ca, text)
                if user:
                    provider.user = provider.options["user"] = user
                self.start(provider)
                lanpost = self.start(Lanpost(
                    account=provider.account(),
                    listener={"verdict_wait": "60s"}))
                code, text = self.hear(lanpost, "bad",
                                       [to or "boss@example.test"])
                self.assertIn(code, range(550, 555))
                self.assertTrue(text.startswith(status + " "), text)
                failed = lanpost.wait_event("failed", told="device")
                self.assertIn(failed["reason"], text)
                self.assertEqual(lanpost.wait_event("rejected")["id"],
                                 failed["id"])
                self.assertEqual(self.states(lanpost), [5])
                self.assertEqual(lanpost.events("deferred"), [])
                queue = lanpost.command("queue", "--json", check=0).stdout
                self.assertNotIn(failed["id"], queue)
                lanpost.stop()

    def test_hostile_words(self):
        """Control characters, a line end, 100 KB: one short line of ours."""
        hostile = (r"\x1b[2J\x1b]0;owned\x07 \xff \xe2\x80\xae \x7f\x08"
                   r"\r250 2.0.0 injected")
        lines = "\\r\\n".join(["550-5.1.1 " + "blah " * 90] * 220)
        for rule in (f'raw="550 5.1.1 {hostile}\\r\\n"',
                     f'raw="{lines}\\r\\n550 5.1.1 {hostile}\\r\\n"'):
            for stage in ("rcpt", "data-end"):
                with self.subTest(stage=stage, rule=rule[:20]):
                    provider, lanpost = self.pair(f"stage={stage} {rule}\n")
                    code, text = self.hear(lanpost, "hostile")
                    self.assertIn(code, (250, 550))
                    self.assertRegex(text, r"\A[ -~\n]+\Z")
                    self.assertNotRegex(text, r"(?m)^250")
                    log = lanpost.log_text()
                    self.assertNotRegex(log, "[\x00-\x09\x0b-\x1f\x7f\u202e]")
                    self.assertLess(max(map(len, log.split("\n"))), 16384)
                    lanpost.stop()
                    provider.stop()

    def test_paused_account_answers_at_once_and_without_a_login(self):
        provider, lanpost = self.pair(account={"password": "not it"})
        for name in ("one", "two", "three"):
            code, text = self.hear(lanpost, name)
            self.assertEqual(code, 554, text)
            self.assertTrue(text.startswith("5.7.8 "), text)
        self.assertEqual(self.states(lanpost), [5, 5, 5])
        lanpost.stop()
        provider.stop()
        self.assertRegex(provider.log_text(), r"connections=[12] logins=0 ")

    def test_temporary(self):
        """250 at once, with the reason; the queue goes on."""
        provider, lanpost = self.pair(
            'stage=rcpt times=1 reply="450 4.2.1 is receiving mail too '
            'quickly"\n')
        code, text = self.hear(lanpost, "later")
        self.assertEqual(code, 250)
        self.assertIn("Queued as", text)
        self.assertIn(lanpost.wait_event("deferred")["reason"], text)
        lanpost.wait_event("delivered")
        self.assertEqual(len(provider.arrived()), 1)

    def test_unreachable(self):
        provider, lanpost = self.pair()
        provider.stop()
        for name in ("one", "two"):
            code, text = self.hear(lanpost, name)
            self.assertEqual(code, 250)
            self.assertIn("Queued as", text)
        self.assertEqual(self.states(lanpost), [0, 0])

    def test_time_is_over(self):
        """The answer that comes too late is the queue's, a refusal as well."""
        for reply, event in (("250 2.0.0 ok", "delivered"),
                             ("554 5.7.1 no", "failed")):
            with self.subTest(event=event):
                provider, lanpost = self.pair(
                    f'stage=data-end reply="{reply}" do=delay:1500\n',
                    wait="1s")
                code, text = self.hear(lanpost, "slow")
                self.assertEqual(code, 250)
                self.assertRegex(text, r"Queued as \w+$")
                told = lanpost.wait_event(event)
                self.assertNotIn("told", told)
                lanpost.stop()

    def test_some_recipients(self):
        provider, lanpost = self.pair(
            'stage=rcpt match="nobody@*" reply="550 5.1.1 no such user"\n'
            'stage=rcpt match="later@*" times=1 reply="450 4.2.0 later"\n')
        code, text = self.hear(lanpost, "mixed", [
            "boss@example.test", "nobody@example.test"])
        self.assertEqual(code, 250)
        self.assertIn(lanpost.wait_event("failed")["reason"], text)
        code, text = self.hear(lanpost, "none", [
            "nobody@example.test", "nobody@example.net"])
        self.assertIn(code, (550, 554))
        code, text = self.hear(lanpost, "both", [
            "nobody@example.test", "later@example.test"])
        self.assertEqual(code, 250)
        lanpost.wait_event("delivered", to="later@example.test")
        wait_until(lambda: self.states(lanpost) == [2, 5, 2], "the states")

    def test_sender_is_mended_while_the_device_waits(self):
        provider, lanpost = self.pair(
            'stage=data-end match="printer@lan.test*" '
            'reply="554 5.2.252 SendAsDenied; not allowed to send as"\n',
            account={"sender_policy": "pass"})
        code, text = self.hear(lanpost, "mended")
        self.assertEqual((code, "Sent as" in text), (250, True), text)
        self.assertEqual(len(provider.arrived()), 1)

    def test_device_hangs_up(self):
        """Who left without a reply may come again: the queue has it."""
        provider, lanpost = self.pair(
            'stage=data-end times=1 reply="554 5.7.1 no" do=delay:1000\n')
        smtp = lanpost.smtp()
        smtp.ehlo()
        smtp.mail("printer@lan.test")
        smtp.rcpt("boss@example.test")
        smtp.docmd("DATA")
        smtp.send(scan("gone") + b"\r\n.\r\n")
        lanpost.wait_event("accepted")
        smtp.close()
        self.assertNotIn("told", lanpost.wait_event("failed"))
        wait_until(lambda: self.states(lanpost) == [2], "failed, not refused")

    def test_failover_while_the_device_waits(self):
        backup = self.start(PracticeProvider(self.ca))
        keys = "".join(f"{k} = {v}\n" for k, v in backup.account().items()
                       if k != "password")
        secret = self.ca_folder + "/backup-password"
        with open(secret, "w") as file:
            file.write(backup.account()["password"])
        os.chmod(secret, 0o600)
        provider, lanpost = self.pair(
            account={"password": "not it", "failover": "backup"},
            more=f"[account backup]\n{keys}password_file = {secret}\n")
        code, text = self.hear(lanpost, "other way")
        self.assertEqual((code, "Sent as" in text), (250, True), text)
        self.assertEqual(len(backup.arrived()), 1)

    def test_two_rules_one_answer(self):
        """A part went: no reply may say that nothing did."""
        provider, lanpost = self.pair(
            'stage=rcpt match="nobody@*" reply="550 5.1.1 no such user"\n',
            more="[rule one]\nto = nobody@example.test\nreply_to = none\n")
        code, text = self.hear(lanpost, "parts", [
            "boss@example.test", "nobody@example.test"])
        self.assertEqual(code, 250, text)
        wait_until(lambda: sorted(self.states(lanpost)) == [1, 2],
                   "the states")

    def test_stop_while_a_device_waits(self):
        provider, lanpost = self.pair("stage=data-end do=hang\n")
        with lanpost.smtp() as smtp:
            smtp.ehlo()
            smtp.mail("printer@lan.test")
            smtp.rcpt("boss@example.test")
            smtp.docmd("DATA")
            smtp.send(scan("stop") + b"\r\n.\r\n")
            lanpost.wait_event("accepted")
            lanpost.process.terminate()
            lanpost.process.terminate()
            try:
                code, text = smtp.getreply()
                self.assertEqual(code, 250)
            except smtplib.SMTPServerDisconnected:
                pass
        wait_until(lambda: not lanpost.alive(), "the end")
        self.assertEqual(self.states(lanpost), [0])

    def test_kill_while_a_device_waits(self):
        """No verdict was told: the message is in the queue, once."""
        provider, lanpost = self.pair(
            "stage=data-end times=1 do=hang\n")
        with lanpost.smtp() as smtp:
            smtp.ehlo()
            smtp.mail("printer@lan.test")
            smtp.rcpt("boss@example.test")
            smtp.docmd("DATA")
            smtp.send(scan("kill") + b"\r\n.\r\n")
            lanpost.wait_event("accepted")
            lanpost.process.kill()
            with self.assertRaises((smtplib.SMTPServerDisconnected, OSError)):
                smtp.getreply()
        lanpost.process.wait()
        self.assertEqual(self.states(lanpost), [0])
        lanpost.start()
        lanpost.wait_event("delivered")
        self.assertEqual(len(provider.arrived()), 1)


if __name__ == "__main__":
    main()
