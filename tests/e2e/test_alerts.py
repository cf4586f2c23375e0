"""The webhook hears of what mail cannot tell: an account that is paused, mail
that piles up; over HTTPS that is verified, again and again until it is taken."""

import http.server
import json
import socket
import ssl
import threading

from e2e_devices import scan
from e2e_providers import PracticeProvider
from e2e_tools import free_port, wait_until
from lanpost_e2e import Lanpost, TestCase, main

SECRET = "T024-very-secret-B033"


class Receiver:
    """What a chat system has: it answers with the codes it is given, then with
    200, and keeps what it took."""

    def __init__(self, codes=(), location=None):
        self.port, self.taken, self.refused = free_port("127.0.0.1"), [], []
        self.codes, self.location = list(codes), location
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                code = receiver.codes.pop(0) if receiver.codes else 200
                (receiver.taken if code == 200 else receiver.refused).append(
                    (self.path, self.headers, json.loads(body)))
                self.send_response(code)
                if receiver.location:
                    self.send_header("Location", receiver.location)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", self.port), Handler)

    def secure(self, certificate, key):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.server.socket = context.wrap_socket(self.server.socket,
                                                 server_side=True)
        return self

    def start(self):
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def clean(self):
        pass

    def wait(self, event, count=1):
        return wait_until(
            lambda: (found[-1] if len(found := [
                body for _, _, body in self.taken
                if body["event"] == event]) >= count else None),
            f"the alert {event}", why=lambda: str(self.taken))


class Alerts(TestCase):
    def receiver(self, *arguments, **options):
        receiver = Receiver(*arguments, **options)
        receiver.start()
        self.addCleanup(receiver.stop)
        return receiver

    def url(self, receiver, scheme="http", host="127.0.0.1"):
        return f"{scheme}://{host}:{receiver.port}/services/{SECRET}"

    def lanpost(self, provider, url, password=None, environment=None, **relay):
        keys = provider.account()
        keys["password"] = password or keys["password"]
        return self.start(Lanpost(
            account=keys, environment=environment,
            relay={"retry": "1h", "alert_webhook": url, **relay}))

    def provider(self, script=""):
        return self.start(PracticeProvider(self.ca, script))

    def test_paused_and_resumed(self):
        """One alarm for twenty messages; the whole of it in one sentence."""
        provider, receiver = self.provider(), self.receiver()
        lanpost = self.lanpost(provider, self.url(receiver), "not it")
        for n in range(20):
            lanpost.send(scan(f"alert-{n}"))
        alert = receiver.wait("account-paused")
        self.assertEqual(alert["account"], "default")
        self.assertEqual(alert["host"], "relay.test")
        self.assertIn("535", alert["reply"])
        self.assertRegex(alert["time"], r"^20\d\d-\d\d-\d\dT[\d:]+Z$")
        for key in ("reason", "title", "explanation", "fix"):
            self.assertTrue(alert.get(key), f"{key} in {alert}")
        self.assertGreaterEqual(alert["waiting"], 1)
        for part in ("relay.test", "default", alert["title"]):
            self.assertIn(part, alert["text"])
        path, headers, _ = receiver.taken[0]
        self.assertEqual(path, f"/services/{SECRET}")
        self.assertIn("application/json", headers["Content-Type"])
        (lanpost.folder / "password").write_text(provider.password + "\n",
                                                 "utf-8")
        resumed = receiver.wait("account-resumed")
        self.assertIn("sends again", resumed["text"])
        lanpost.wait_event("alert-sent", count=2)
        self.assertEqual([body["event"] for _, _, body in receiver.taken],
                         ["account-paused", "account-resumed"])
        self.assertNotIn(SECRET, lanpost.log_text())

    def test_refused_first_then_taken(self):
        provider, receiver = self.provider(), self.receiver([503])
        lanpost = self.lanpost(provider, self.url(receiver), "not it")
        lanpost.send(scan("alert"))
        failed = lanpost.wait_event("alert-failed")
        self.assertIn("503", failed["error"])
        receiver.wait("account-paused")
        sent = lanpost.wait_event("alert-sent")
        self.assertEqual(sent["alert"], "account-paused")
        self.assertEqual(sent["to"], f"http://127.0.0.1:{receiver.port}")
        self.assertEqual(len(receiver.refused), 1)

    def test_the_newest_news_count(self):
        """What was not taken before it was over is not told any more."""
        provider, receiver = self.provider(), self.receiver([500])
        lanpost = self.lanpost(provider, self.url(receiver), "not it")
        lanpost.send(scan("alert"))
        lanpost.wait_event("alert-failed")
        (lanpost.folder / "password").write_text(provider.password + "\n",
                                                 "utf-8")
        receiver.wait("account-resumed")
        self.assertEqual(len(receiver.taken), 1)

    def test_https_is_verified(self):
        provider = self.provider()
        stranger = Receiver().secure(*self.ca.issue("stranger",
                                                    self_signed=True))
        stranger.start()
        self.addCleanup(stranger.stop)
        lanpost = self.lanpost(provider, self.url(stranger, "https"),
                               "not it")
        lanpost.send(scan("alert"))
        failed = lanpost.wait_event("alert-failed")
        self.assertIn("certificate", failed["error"])
        self.assertEqual((stranger.taken, stranger.refused), ([], []))

    def test_https(self):
        provider = self.provider()
        receiver = Receiver().secure(*self.ca.issue("hooks"))
        receiver.start()
        self.addCleanup(receiver.stop)
        lanpost = self.lanpost(provider, self.url(receiver, "https",
                                                  "localhost"), "not it",
                               {"SSL_CERT_FILE": str(self.ca.pem)})
        lanpost.send(scan("alert"))
        receiver.wait("account-paused")
        self.assertNotIn("alert_webhook", "".join(
            e.line for e in lanpost.events("warning")))

    def test_no_redirect_and_no_proxy(self):
        provider, other = self.provider(), self.receiver()
        receiver = self.receiver([307], location=self.url(other))
        nowhere = f"http://127.0.0.1:{free_port('127.0.0.1')}"
        lanpost = self.lanpost(provider, self.url(receiver), "not it",
                               {"http_proxy": nowhere, "ALL_PROXY": nowhere})
        lanpost.send(scan("alert"))
        self.assertIn("307", lanpost.wait_event("alert-failed")["error"])
        receiver.wait("account-paused")
        self.assertEqual(other.taken, [])

    def test_mail_that_waits_for_long(self):
        provider, receiver = self.provider(), self.receiver()
        lanpost = self.lanpost(provider, self.url(receiver), retry="1s",
                               alert_queue_age="1s")
        provider.stop()
        lanpost.send(scan("alert"))
        old = receiver.wait("queue-old")
        self.assertEqual(old["waiting"], 1)
        self.assertTrue(old["fix"])
        lanpost.wait_event("warning", reason="queue-old")
        provider.start()
        receiver.wait("queue-ok")

    def test_hostile_words(self):
        provider = self.provider(
            r'stage=auth raw="535 5.7.8 \x1b[2J\xff\x00{\"x\":1}\r\n"' "\n")
        receiver = self.receiver()
        lanpost = self.lanpost(provider, self.url(receiver))
        lanpost.send(scan("alert"))
        alert = receiver.wait("account-paused")
        self.assertNotRegex(alert["reply"] + alert["text"], r"[\x00-\x1f]")

    def test_nowhere_to_go_stops_nobody(self):
        """A receiver that hangs; the server ends in time all the same."""
        provider = self.provider()
        with socket.create_server(("127.0.0.1", 0)) as silent:
            lanpost = self.lanpost(
                provider, f"http://127.0.0.1:{silent.getsockname()[1]}/",
                "not it")
            lanpost.send(scan("alert"))
            lanpost.wait_event("account-paused")
            with silent.accept()[0]:
                self.assertEqual(lanpost.stop(), 0)

    def test_bad_urls(self):
        for url, words in (("http://198.51.100.7/x", "public address"),
                           (f"ftp://hooks.test/{SECRET}", "no URL"),
                           (f"hooks {SECRET}", "no URL")):
            with self.subTest(url=url):
                lanpost = Lanpost(account=self.provider().account(),
                                  relay={"alert_webhook": url})
                self.addCleanup(lanpost.clean)
                lanpost.write_config()
                said = lanpost.command("check", check=78)
                self.assertIn(words, said.stderr)
                self.assertNotIn(SECRET, said.stdout + said.stderr)

    def test_check_hides_its_path(self):
        lanpost = Lanpost(account=self.provider().account(), relay={
            "alert_webhook": f"https://hooks.test/{SECRET}"})
        self.addCleanup(lanpost.clean)
        lanpost.write_config()
        for more in ((), ("--json",)):
            said = lanpost.command("check", *more, check=0).stdout
            self.assertIn("https://hooks.test", said)
            self.assertNotIn(SECRET, said)


if __name__ == "__main__":
    main()
