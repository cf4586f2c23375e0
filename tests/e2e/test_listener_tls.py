"""Devices speak TLS to lanpost: by STARTTLS or from the first byte, with
today's versions, and with old ones only where the listener asks for it; what
fails is named in the log with the setting to change."""

import contextlib
import hashlib
import os
import re
import signal
import socket
import ssl
import subprocess

from e2e_devices import Refused, scan
from e2e_providers import PracticeProvider
from e2e_secure_devices import SECURE_DEVICES, s_client
from e2e_tools import DEADLINE, free_port, need
from lanpost_e2e import Lanpost, TestCase, main

TO = ("boss@example.test",)
OLD = {"TLS 1.0": ("-tls1", "TLSv1"), "TLS 1.1": ("-tls1_1", "TLSv1.1")}


class ListenerTls(TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.provider = PracticeProvider(cls.ca)
        cls.provider.start()
        cls.addClassCleanup(cls._end, cls.provider)

    def lanpost(self, start=True, relay=None, more="", **listener):
        lanpost = Lanpost(account=self.provider.account(), relay=relay,
                          listener=listener, more=more)
        if start:
            self.start(lanpost)
        else:
            self.addCleanup(lanpost.clean)
        return lanpost

    def certified(self, name="listener", **options):
        """A listener with a certificate of the test's authority."""
        lanpost = self.lanpost(start=False, **options)
        lanpost.pair = self.ca.issue(name, f"IP:{lanpost.address[0]}")
        lanpost.listener["tls_cert"], lanpost.listener["tls_key"] = lanpost.pair
        return self.start(lanpost)

    def shown_by(self, lanpost):
        """The SHA-256 of the certificate that a client is shown."""
        with socket.create_connection(lanpost.address, DEADLINE) as plain, \
                self.blind().wrap_socket(plain) as secure:
            return hashlib.sha256(secure.getpeercert(True)).hexdigest()

    @staticmethod
    def blind():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    # ---- devices of today

    def test_devices(self):
        for tls in ("starttls", "required", "implicit"):
            lanpost = self.certified(tls=tls)
            way = "implicit" if tls == "implicit" else "starttls"
            for name, device in SECURE_DEVICES.items():
                with self.subTest(tls=tls, device=name):
                    before = len(self.provider.arrived())
                    mark = lanpost.mark()
                    device(lanpost.address, scan(f"{tls}-{name}"),
                           "printer@lan.test", TO, tls=way, ca=self.ca.pem)
                    lanpost.wait_event("delivered", since=mark)
                    got = self.provider.wait_copies(before, TO)[0]
                    self.assertRegex(got.get("Received")[0],
                                     r"with ESMTPS\b")
            self.assertEqual(lanpost.events("tls-error"), [])
            lanpost.stop()

    def test_starttls_is_the_devices_choice(self):
        lanpost = self.lanpost(tls="starttls")
        lanpost.send(scan("in-the-clear"))
        lanpost.wait_event("delivered")

    def test_required(self):
        lanpost = self.certified(tls="required")
        client = lanpost.raw()
        self.assertIn("STARTTLS", client.ask("EHLO printer"))
        self.assertEqual(client.ask("MAIL FROM:<a@lan.test>")[:9], "530 5.7.0")
        rejected = lanpost.wait_event("rejected", client="127.0.0.1")
        self.assertIn("STARTTLS", rejected["fix"])
        client.close()
        for name, device in SECURE_DEVICES.items():
            with self.subTest(device=name), self.assertRaises(Refused):
                device(lanpost.address, scan("clear"), "printer@lan.test", TO)
        self.assertEqual(lanpost.events("accepted"), [])

    def test_not_offered_twice(self):
        lanpost = self.certified(tls="starttls")
        with lanpost.smtp() as smtp:
            smtp.starttls(context=self.blind())
            smtp.ehlo()
            self.assertFalse(smtp.has_extn("starttls"))
            self.assertEqual(smtp.docmd("STARTTLS")[0] // 100, 5)

    def test_what_was_said_in_the_clear_is_forgotten(self):
        lanpost = self.certified(tls="starttls")
        with lanpost.smtp() as smtp:
            smtp.ehlo("clear.lan")
            smtp.starttls(context=self.blind())
            smtp.ehlo("secure.lan")
            smtp.sendmail("printer@lan.test", TO, scan("forgotten"))
        lanpost.wait_event("delivered")
        received = self.provider.arrived()[-1].get("Received")[0]
        self.assertIn("secure.lan", received)
        self.assertNotIn("clear.lan", received)

    def test_a_large_scan(self):
        lanpost = self.certified(tls="implicit")
        before = len(self.provider.arrived())
        SECURE_DEVICES["python"](
            lanpost.address, scan("large", size=12_000_000),
            "printer@lan.test", TO, tls="implicit", ca=self.ca.pem)
        lanpost.wait_event("delivered")
        got = self.provider.wait_copies(before, TO)[0]
        self.assertGreater(len(got.raw), 11_000_000)

    # ---- old devices

    def story(self, lanpost, *words):
        way = [] if lanpost.listener["tls"] == "implicit" else [
            "-starttls", "smtp"]
        return s_client(lanpost.address, *way, *words)

    def test_old_devices_where_they_are_asked_for(self):
        for tls in ("starttls", "implicit"):
            lanpost = self.lanpost(tls=tls, tls_min="1.0")
            self.assertEqual(lanpost.wait_event("certificate")["tls_min"],
                             "1.0")
            for name, (flag, said) in OLD.items():
                with self.subTest(tls=tls, device=name):
                    self.assertRegex(
                        self.story(lanpost, flag, "-cipher",
                                   "ALL:@SECLEVEL=0"),
                        rf"Protocol version: {re.escape(said)}\n")
            for flag in ("-tls1", "-tls1_2"):
                with self.subTest(tls=tls, key_exchange="RSA", flag=flag):
                    self.assertRegex(
                        self.story(lanpost, flag, "-cipher",
                                   "AES128-SHA:@SECLEVEL=0"),
                        r"Ciphersuite: AES128-SHA\n")
            self.assertRegex(self.story(lanpost), "Protocol version: TLSv1.3")
            self.assertEqual(lanpost.events("tls-error"), [])
            lanpost.stop()

    def test_old_devices_elsewhere(self):
        """Refused, and the log says which listener would take them; beside
        one that does."""
        lanpost = self.lanpost(start=False, tls="implicit")
        other = (lanpost.address[0], free_port(lanpost.address[0]))
        lanpost.more = ("[listener old]\naddress = %s:%d\ntls = implicit\n"
                        "tls_min = 1.0\n" % other)
        self.start(lanpost)
        lanpost.wait_event("listening", count=2)
        for name, (flag, _) in OLD.items():
            with self.subTest(device=name):
                mark = lanpost.mark()
                said = self.story(lanpost, flag, "-cipher", "ALL:@SECLEVEL=0")
                self.assertNotIn("Protocol version", said)
                error = lanpost.wait_event("tls-error", since=mark,
                                           listener="default")
                self.assertEqual(error["client"], "127.0.0.1")
                self.assertIn(f"offers at most {name}", error["error"])
                self.assertIn("set tls_min = 1.0 on a listener", error["fix"])
        with self.subTest(key_exchange="RSA"):
            mark = lanpost.mark()
            said = self.story(lanpost, "-tls1_2", "-cipher",
                              "AES128-SHA:AES256-SHA:@SECLEVEL=0")
            self.assertNotIn("Protocol version", said)
            error = lanpost.wait_event("tls-error", since=mark)
            self.assertIn("AES128-SHA AES256-SHA", error["error"])
            self.assertIn("tls_min", error["fix"])
        self.assertRegex(s_client(other, "-tls1", "-cipher",
                                  "AES128-SHA:@SECLEVEL=0"), "TLSv1\n")

    def test_a_listener_that_asks_for_too_much(self):
        lanpost = self.lanpost(tls="implicit", tls_min="1.3")
        self.story(lanpost, "-tls1_2")
        error = lanpost.wait_event("tls-error")
        self.assertIn("offers at most TLS 1.2", error["error"])
        self.assertIn("set tls_min = 1.2", error["fix"])

    # ---- in the wrong place, at the wrong time

    def test_commands_behind_starttls(self):
        for injected in (b"NOOP\r\n", b"EHLO attacker\r\nMAIL FROM:<a@b.c>\r\n"
                         b"RCPT TO:<x@example.test>\r\nDATA\r\n", b"X"):
            with self.subTest(injected=injected):
                lanpost = self.certified(tls="starttls")
                client = lanpost.raw()
                client.ask("EHLO printer")
                client.send(b"STARTTLS\r\n" + injected)
                self.assertEqual(client.reply()[:3], "554")
                self.assertEqual(client.reply(), "")
                rejected = lanpost.wait_event("rejected", command="STARTTLS",
                                              client="127.0.0.1")
                self.assertIn("behind STARTTLS", rejected["reply"])
                lanpost.stop()

    def test_commands_behind_starttls_in_a_second_piece(self):
        """Whether they come before or after the 220, they are never run."""
        lanpost = self.certified(tls="starttls")
        story = b"STARTTLS\r\nEHLO attacker\r\nMAIL FROM:<inject@b.c>\r\n"
        for cut in range(1, len(story)):
            with self.subTest(cut=cut):
                client = lanpost.raw()
                client.socket.setsockopt(socket.IPPROTO_TCP,
                                         socket.TCP_NODELAY, 1)
                client.ask("EHLO printer")
                client.send(story[:cut])
                with contextlib.suppress(ConnectionError):
                    client.send(story[cut:])
                    client.socket.shutdown(socket.SHUT_WR)
                replies = [client.reply() for _ in range(4)]
                client.close()
                self.assertIn(replies[0][:3], ("220", "554", "221", ""))
                self.assertFalse([r for r in replies if r.startswith("250")])
        with lanpost.smtp() as smtp:
            smtp.starttls(context=self.blind())
            self.assertEqual(smtp.noop()[0], 250)

    def test_clear_words_after_the_220(self):
        lanpost = self.certified(tls="starttls")
        client = lanpost.raw()
        client.ask("EHLO printer")
        self.assertEqual(client.ask("STARTTLS")[:3], "220")
        client.send(b"EHLO printer\r\n")
        error = lanpost.wait_event("tls-error", client="127.0.0.1")
        self.assertIn("STARTTLS", error["fix"])
        self.assertFalse(re.findall("^2", client.reply(), re.M))

    def test_tls_on_a_plain_port(self):
        for tls in ("off", "starttls"):
            with self.subTest(tls=tls):
                lanpost = self.lanpost(tls=tls)
                with self.assertRaises((ssl.SSLError, OSError)), \
                        socket.create_connection(lanpost.address) as plain:
                    self.blind().wrap_socket(plain)
                error = lanpost.wait_event("tls-error", client="127.0.0.1",
                                           listener="default")
                self.assertIn("tls = implicit", error["fix"])
                self.assertIn("switch TLS off in the device", error["fix"])
                lanpost.stop()

    def test_plain_words_on_a_tls_port(self):
        lanpost = self.lanpost(tls="implicit")
        with socket.create_connection(lanpost.address, DEADLINE) as client:
            client.sendall(b"EHLO printer\r\n")
            error = lanpost.wait_event("tls-error", client="127.0.0.1",
                                       listener="default")
            self.assertIn("SSL/TLS (not STARTTLS)", error["fix"])
            with contextlib.suppress(ConnectionError):
                while client.recv(4096):
                    pass

    def test_silence_on_a_tls_port(self):
        """A plain client waits there for a greeting that never comes."""
        lanpost = self.lanpost(tls="implicit", timeout="1s")
        with socket.create_connection(lanpost.address, DEADLINE) as client:
            self.assertEqual(client.recv(100), b"")
        error = lanpost.wait_event("tls-error", client="127.0.0.1")
        self.assertIn("waits for a greeting", error["error"])
        self.assertIn("SSL/TLS (not STARTTLS)", error["fix"])

    def test_probes_are_no_news(self):
        lanpost = self.lanpost(tls="implicit", relay={"log_level": "debug"})
        for _ in range(3):
            socket.create_connection(lanpost.address, DEADLINE).close()
        lanpost.wait_event("connected", count=3)
        SECURE_DEVICES["python"](lanpost.address, scan("after"),
                                 "printer@lan.test", TO, tls="implicit")
        lanpost.wait_event("accepted")
        self.assertEqual(lanpost.events("tls-error"), [])

    def test_a_stranger_is_told_inside_tls(self):
        lanpost = self.lanpost(tls="implicit", allow="127.9.9.9/32")
        with socket.create_connection(lanpost.address, DEADLINE) as plain, \
                self.blind().wrap_socket(plain) as secure:
            said = secure.recv(1000).decode()
        self.assertRegex(said, "^554 .*may not send mail here")
        self.assertEqual(lanpost.wait_event("refused")["reason"], "not-allowed")

    def test_a_client_that_does_not_trust(self):
        lanpost = self.lanpost(tls="implicit")
        with self.assertRaises(Refused):
            SECURE_DEVICES["python"](lanpost.address, scan("doubt"),
                                     "printer@lan.test", TO, tls="implicit",
                                     ca=self.ca.pem)
        error = lanpost.wait_event("tls-error", client="127.0.0.1")
        self.assertIn("tls_cert", error["fix"])

    def test_stopping_in_the_middle_of_a_handshake(self):
        lanpost = self.lanpost(tls="implicit", relay={"log_level": "debug"})
        with socket.create_connection(lanpost.address, DEADLINE):
            lanpost.wait_event("connected")
            self.assertEqual(lanpost.stop(), 0)

    # ---- certificates

    def reload(self, lanpost, name):
        mark = lanpost.mark()
        lanpost.write_config()
        lanpost.signal(signal.SIGHUP)
        return lanpost.wait_event(name, since=mark)

    def test_a_new_certificate_at_a_reload(self):
        lanpost = self.certified(tls="implicit")
        cert, key = lanpost.pair
        first = self.shown_by(lanpost)
        with socket.create_connection(lanpost.address, DEADLINE) as plain, \
                self.blind().wrap_socket(plain) as open_before:
            self.assertTrue(open_before.recv(100).startswith(b"220"))
            new_cert, new_key = self.ca.issue("renewed")
            os.replace(new_cert, cert)
            os.replace(new_key, key)
            self.assertEqual(self.shown_by(lanpost), first)
            self.reload(lanpost, "reloaded")
            second = self.shown_by(lanpost)
            self.assertNotEqual(second, first)
            open_before.sendall(b"NOOP\r\n")
            self.assertTrue(open_before.recv(100).startswith(b"250"))
        told = [e["fingerprint"].replace(":", "").lower()
                for e in lanpost.events("certificate")]
        self.assertEqual(told, [first, second])

    def test_a_bad_new_certificate_keeps_the_old(self):
        lanpost = self.certified(tls="implicit")
        cert, key = lanpost.pair
        good_cert, good_key = cert.read_bytes(), key.read_bytes()
        first = self.shown_by(lanpost)
        other = self.ca.issue("other-key")[1].read_bytes()
        for what, cert_bytes, key_bytes, words in (
                ("half a file", good_cert[:300], good_key, "tls_cert"),
                ("another's key", good_cert, other, "not the key"),
                ("no certificate", b"hello\n", good_key, "no certificate")):
            with self.subTest(what=what):
                cert.write_bytes(cert_bytes)
                key.write_bytes(key_bytes)
                error = self.reload(lanpost, "config-error")
                self.assertIn(words, error["error"])
                self.assertIn("stays in force", error["explanation"])
                self.assertEqual(self.shown_by(lanpost), first)
        cert.unlink()
        error = self.reload(lanpost, "config-error")
        self.assertIn(str(cert), error["error"])
        self.assertEqual(self.shown_by(lanpost), first)
        cert.write_bytes(good_cert)
        key.write_bytes(good_key)
        self.reload(lanpost, "reloaded")

    def test_a_bad_certificate_at_the_start(self):
        key = self.ca.issue("another-key")[1]
        lanpost = self.lanpost(start=False, tls="implicit",
                               tls_cert=self.ca.pem, tls_key=key)
        lanpost.start(listening=False)
        self.assertEqual(lanpost.wait(), 78)
        self.assertIn("tls_cert", lanpost.log_text())
        checked = lanpost.command("check", check=78)
        self.assertIn("tls_cert", checked.stderr)

    def test_the_self_made_certificate(self):
        lanpost = self.lanpost(tls="implicit")
        told = lanpost.wait_event("certificate", listener="default")
        first = self.shown_by(lanpost)
        self.assertEqual(told["fingerprint"].replace(":", "").lower(), first)
        self.assertEqual(told["origin"], "made now")
        self.assertEqual(os.stat(lanpost.spool / "tls-key.pem").st_mode
                         & 0o777, 0o600)
        shown = subprocess.run(
            [need("openssl"), "x509", "-in", lanpost.spool / "tls-cert.pem",
             "-noout", "-text"], capture_output=True, text=True, check=True)
        for words in ("DNS:relay.test", "Public-Key: (2048 bit)", "CA:FALSE",
                      "CN = relay.test"):
            self.assertIn(words, shown.stdout)
        self.assertEqual(lanpost.stop(), 0)
        mark = lanpost.mark()
        lanpost.start()
        again = lanpost.wait_event("certificate", since=mark)
        self.assertEqual(again["origin"], "self-made")
        self.assertEqual(again["fingerprint"], told["fingerprint"])
        self.assertEqual(self.shown_by(lanpost), first)

    def test_the_self_made_certificate_can_be_trusted(self):
        """By a device that is given it, and the relay's address."""
        lanpost = self.lanpost(start=False, tls="implicit")
        lanpost.address = ("127.0.0.1", free_port("127.0.0.1"))
        lanpost.listener["address"] = "%s:%d" % lanpost.address
        self.start(lanpost)
        lanpost.wait_event("certificate")
        for name, device in SECURE_DEVICES.items():
            with self.subTest(device=name):
                mark = lanpost.mark()
                device(lanpost.address, scan(f"trust-{name}"),
                       "printer@lan.test", TO, tls="implicit",
                       ca=lanpost.spool / "tls-cert.pem")
                lanpost.wait_event("accepted", since=mark)

    def test_another_hostname(self):
        lanpost = self.lanpost(tls="implicit")
        lanpost.wait_event("certificate")
        lanpost.stop()
        lanpost.relay["hostname"] = "moved.test"
        mark = lanpost.mark()
        lanpost.start()
        warning = lanpost.wait_event(
            "warning", since=mark, text=lambda t: "does not name this host" in t)
        self.assertIn("remove tls-cert.pem", warning["fix"])
        lanpost.stop()
        (lanpost.spool / "tls-cert.pem").unlink()
        key = (lanpost.spool / "tls-key.pem").read_bytes()
        mark = lanpost.mark()
        lanpost.start()
        lanpost.wait_event("certificate", since=mark, origin="made now")
        self.assertEqual((lanpost.spool / "tls-key.pem").read_bytes(), key)


if __name__ == "__main__":
    main()
