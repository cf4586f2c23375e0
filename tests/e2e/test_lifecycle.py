"""Start, reload and stop: no session is dropped and no message lost."""

import signal

from e2e_devices import scan
from e2e_providers import PracticeProvider
from lanpost_e2e import Lanpost, TestCase, main


class Lifecycle(TestCase):
    def pair(self, provider=None, **sections):
        provider = self.start(PracticeProvider(self.ca, **(provider or {})))
        return provider, self.start(Lanpost(account=provider.account(),
                                            **sections))

    def test_sigterm_drains(self):
        """Messages in flight are finished, the others kept for the next
        start; none comes twice."""
        provider, lanpost = self.pair({"latency": 20})
        tokens = [f"drain-{n}" for n in range(40)]
        with lanpost.smtp() as smtp:
            for token in tokens:
                smtp.sendmail("printer@lan.test", ["boss@example.test"],
                              scan(token))
        lanpost.wait_event("delivered")
        self.assertEqual(lanpost.stop(), 0)
        self.assertTrue(lanpost.events("stopping"))
        self.assertTrue(lanpost.events("stopped"))
        lanpost.start()
        provider.wait_arrived(len(tokens))
        lanpost.wait_event("delivered", count=len(tokens))
        self.assertEqual(sorted(m.get("Subject")[0] for m in provider.arrived()),
                         sorted(f"Scan {token}" for token in tokens))

    def test_new_sessions_are_told_while_stopping(self):
        _, lanpost = self.pair()
        client = lanpost.raw()
        self.assertEqual(client.ask("EHLO x")[:3], "250")
        lanpost.signal(signal.SIGTERM)
        self.assertEqual(client.reply()[:3], "421")
        self.assertEqual(lanpost.wait(), 0)

    def test_no_reload_while_stopping(self):
        _, lanpost = self.pair()
        client = lanpost.raw()
        for line in ("EHLO x", "MAIL FROM:<a@lan.test>",
                     "RCPT TO:<b@example.test>"):
            self.assertEqual(client.ask(line)[:3], "250")
        self.assertEqual(client.ask("DATA")[:3], "354")
        lanpost.signal(signal.SIGTERM)
        lanpost.wait_event("stopping")
        lanpost.signal(signal.SIGHUP)
        client.send(b"Subject: the last\r\n\r\nhello\r\n.\r\n")
        self.assertEqual(client.reply()[:3], "250")
        self.assertEqual(lanpost.wait(), 0)
        self.assertEqual(lanpost.events("reloaded"), [])

    def test_reload(self):
        """A session lives through a reload, with the rules it began under."""
        provider, lanpost = self.pair()
        client = lanpost.raw("127.1.1.5")
        for line in ("EHLO x", "MAIL FROM:<a@lan.test>"):
            self.assertEqual(client.ask(line)[:3], "250")
        lanpost.listener["deny"] = "127.1.1.5"
        lanpost.write_config()
        lanpost.signal(signal.SIGHUP)
        lanpost.wait_event("reloaded")
        self.assertEqual(lanpost.raw("127.1.1.5").greeting[:1], "5")
        self.assertEqual(client.ask("RCPT TO:<b@example.test>")[:3], "250")
        self.assertEqual(client.ask("DATA")[:3], "354")
        client.send(b"Subject: across the reload\r\n\r\nhello\r\n.\r\n")
        self.assertEqual(client.reply()[:3], "250")
        self.assertEqual(provider.wait_arrived(1)[0].get("Subject"),
                         ["across the reload"])

    def test_reload_of_a_password(self):
        """A password mended in its file delivers what waited."""
        provider, lanpost = self.pair()
        right = provider.password
        lanpost.stop()
        lanpost.account["password"] = "not it"
        lanpost.start()
        lanpost.send(scan("waits-for-the-password"))
        lanpost.wait_event("account-paused")
        self.assertEqual(provider.arrived(), [])
        lanpost.account["password"] = right
        lanpost.write_config()
        lanpost.signal(signal.SIGHUP)
        lanpost.wait_event("account-resumed")
        self.assertEqual(len(provider.wait_arrived(1)), 1)

    def test_broken_file_keeps_the_old_one(self):
        provider, lanpost = self.pair()
        good = lanpost.config.read_text()
        lanpost.config.write_text("# mended in haste\n" + good.replace(
            "[relay]\n", "[relay]\nexpire = soon\n"))
        lanpost.signal(signal.SIGHUP)
        error = lanpost.wait_event("config-error")
        self.assertIn(f"{lanpost.config}:3: ", error.line)
        self.assertEqual(lanpost.events("reloaded"), [])
        lanpost.send(scan("with-the-old-file"))
        self.assertEqual(len(provider.wait_arrived(1)), 1)
        lanpost.config.write_text(good)
        lanpost.signal(signal.SIGHUP)
        lanpost.wait_event("reloaded")

    def test_second_server_on_the_same_spool(self):
        _, lanpost = self.pair()
        second = Lanpost(account=lanpost.account, relay={"spool": lanpost.spool})
        self.addCleanup(second.clean)
        second.write_config()
        done = second.command("serve")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(lanpost.process.pid), done.stderr)
        self.assertIn(str(lanpost.spool), done.stderr)
        self.assertTrue(lanpost.alive())
        lanpost.send(scan("the-first-goes-on"))
        lanpost.wait_event("delivered")

    def test_address_in_use(self):
        _, lanpost = self.pair()
        second = Lanpost(account=lanpost.account)
        self.addCleanup(second.clean)
        second.listener["address"] = "%s:%d" % lanpost.address
        second.write_config()
        done = second.command("serve")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("%s:%d" % lanpost.address, done.stderr)


if __name__ == "__main__":
    main()
