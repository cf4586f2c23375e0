"""The API on the control socket: its errors, its bounds, and what happens to
it when the server starts, stops or is stopped from outside."""

import contextlib
import json
import os
import pathlib
import signal
import socket
import stat
import subprocess
import tempfile

from e2e_devices import scan
from e2e_providers import PracticeProvider
from e2e_tools import DEADLINE, need, wait_until
from lanpost_e2e import Lanpost, TestCase, main

OK, TEMPFAIL = 0, 75
UNKNOWN_ID = "1m7y1t68wxm5b"
NOWHERE = {"host": "localhost", "port": 1, "tls": "none",
           "sender_policy": "pass"}


class Control(TestCase):
    def server(self, **sections):
        provider = PracticeProvider(self.ca)
        self.addCleanup(provider.clean)    # not started: nobody answers
        lanpost = self.start(Lanpost(account=provider.account(), **sections))
        lanpost.wait_control()
        return lanpost

    def connect(self, lanpost):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(DEADLINE)
        client.connect(str(lanpost.control))
        self.addCleanup(client.close)
        return client

    @staticmethod
    def rest(client):
        """What comes until the server closes."""
        got = b""
        with contextlib.suppress(ConnectionError):
            while piece := client.recv(65536):
                got += piece
        return got


class Answers(Control):
    def test_curl(self):
        """The tool that an administrator has at hand."""
        lanpost = self.server()
        for path in ("healthz", "readyz", "api/v1/status", "api/v1/queue",
                     "api/v1/history", "api/v1/accounts",
                     "api/v1/explain?reply=535%205.7.3&provider=office365"):
            with self.subTest(path=path):
                done = subprocess.run(
                    [need("curl"), "-sS", "--fail", "--unix-socket",
                     lanpost.control, f"http://lanpost/{path}"],
                    capture_output=True, timeout=DEADLINE)
                self.assertEqual(done.returncode, 0, done.stderr)
                json.loads(done.stdout)

    def test_errors(self):
        lanpost = self.server()
        for method, path, status, word in (
                ("GET", "/", 404, "nothing at /"),
                ("GET", "/api/v1/nonsense", 404, "/api/v1/nonsense"),
                ("GET", "/" + "x" * 3000, 404, "nothing"),
                ("GET", "/%00", 404, "nothing"),
                ("GET", "/api/v1/queue/../../healthz", 404, "nothing"),
                ("POST", "/api/v1/status", 405, "GET"),
                ("GET", "/api/v1/queue/retry", 405, "POST"),
                ("DELETE", f"/api/v1/messages/{UNKNOWN_ID}", 405, "GET"),
                ("BREW", "/healthz", 405, "GET"),
                ("GET", f"/api/v1/messages/{UNKNOWN_ID}", 404, UNKNOWN_ID),
                ("GET", "/api/v1/messages/zzz", 404, "zzz"),
                ("GET", "/api/v1/messages/%1b%5b2J", 404, "no id"),
                ("GET", f"/api/v1/history?id={UNKNOWN_ID}", 404, UNKNOWN_ID),
                ("GET", "/api/v1/history?id=zzz", 404, "zzz"),
                ("GET", "/api/v1/history?since=yore", 400, "yore"),
                ("GET", "/api/v1/history?status=lost", 400, "delivered"),
                ("GET", "/api/v1/history?limit=0", 400, "limit"),
                ("GET", "/api/v1/history?limit=-1", 400, "limit"),
                ("GET", "/api/v1/history?limit=100000", 400, "10000"),
                ("GET", "/api/v1/history?form=x", 400, "form"),
                ("GET", "/api/v1/history?from=%ff%fe", 400, "UTF-8"),
                ("GET", "/api/v1/history?from=a%00b", 400, "UTF-8"),
                ("GET", "/api/v1/explain", 400, "nothing to explain"),
                ("GET", "/api/v1/explain?reply=", 400, "nothing to explain"),
                ("POST", f"/api/v1/queue/{UNKNOWN_ID}/hold", 404, UNKNOWN_ID),
                ("POST", f"/api/v1/queue/{UNKNOWN_ID}/delete", 404,
                 UNKNOWN_ID),
                ("POST", "/api/v1/queue/zzz/retry", 404, "zzz"),
                ("POST", "/api/v1/queue//hold", 404, "nothing"),
                ("POST", "/api/v1/accounts/nobody/pause", 404, "nobody"),
                ("POST", "/api/v1/accounts/a%2Fb/resume", 404, "a/b")):
            with self.subTest(method=method, path=path[:60]):
                got, answer = lanpost.ask(path, method)
                self.assertEqual(got, status, answer)
                self.assertIn(word, answer["error"])
                self.assertIn("fix", answer)
        self.assertEqual(lanpost.ask("/healthz")[0], 200)

    def test_wrong_methods_are_told_the_right_one(self):
        lanpost = self.server()
        client = self.connect(lanpost)
        client.sendall(b"PUT /api/v1/queue HTTP/1.1\r\nHost: x\r\n"
                       b"Connection: close\r\n\r\n")
        head = self.rest(client).split(b"\r\n\r\n")[0]
        self.assertIn(b" 405 ", head)
        self.assertIn(b"\r\nAllow: GET", head)

    def test_head(self):
        lanpost = self.server()
        client = self.connect(lanpost)
        client.sendall(b"HEAD /healthz HTTP/1.1\r\nHost: x\r\n"
                       b"Connection: close\r\n\r\n")
        head, _, body = self.rest(client).partition(b"\r\n\r\n")
        self.assertIn(b" 200 ", head)
        self.assertEqual(body, b"")

    def test_a_body_is_bounded(self):
        lanpost = self.server()
        path = "/api/v1/queue/retry"
        self.assertEqual(lanpost.ask(path, "POST", b"x" * 100)[0], 200)
        status, answer = lanpost.ask(path, "POST", b"x" * 20000)
        self.assertEqual(status, 413, answer)
        self.assertIn("too long", answer["error"])
        client = self.connect(lanpost)
        client.sendall(b"POST /api/v1/queue/retry HTTP/1.1\r\nHost: x\r\n"
                       b"Transfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(2000):
                client.sendall(b"1000\r\n" + b"y" * 4096 + b"\r\n")
        self.rest(client)       # closed by the server, not by a deadline
        self.assertEqual(lanpost.ask("/healthz")[0], 200)


class Bounds(Control):
    def test_garbage(self):
        lanpost = self.server()
        for garbage in (b"\0" * 5000, b"\xff\xfe\r\n\r\n", b"GET\r\n\r\n",
                        b"EHLO printer\r\n", os.urandom(70000) + b"\r\n\r\n",
                        b"GET / HTTP/9.9\r\n\r\n",
                        b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
                        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
                        b"POST / HTTP/1.1\r\nHost: x\r\n"
                        b"Content-Length: -5\r\n\r\n",
                        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: "
                        b"99999999999999999999999\r\n\r\n"):
            with self.subTest(garbage=garbage[:20]):
                client = self.connect(lanpost)
                with contextlib.suppress(ConnectionError):
                    client.sendall(garbage)
                    client.shutdown(socket.SHUT_WR)
                self.rest(client)
                self.assertEqual(lanpost.ask("/healthz")[0], 200)
        self.assertTrue(lanpost.alive())

    def test_slow_clients_hold_nobody_up(self):
        lanpost = self.server()
        slow = [self.connect(lanpost) for _ in range(20)]
        for client in slow:
            client.sendall(b"GET /api/v1/status HTTP/1.1\r\nHo")
        for _ in range(8):
            self.assertEqual(lanpost.ask("/api/v1/status")[0], 200)
        slow[0].sendall(b"st: x\r\nConnection: close\r\n\r\n")
        self.assertIn(b" 200 ", self.rest(slow[0]))

    def test_too_many_connections(self):
        """Those beyond the cap are closed; one that ends makes room."""
        lanpost = self.server()
        clients = [self.connect(lanpost) for _ in range(60)]
        for client in clients:
            with contextlib.suppress(OSError):
                client.sendall(b"GET /healthz HTTP/1.1\r\nHo")
        for client in clients:
            client.close()
        lanpost.wait_control()

    def test_mail_goes_on_beside_it(self):
        lanpost = self.server()
        with contextlib.ExitStack() as stack:
            for _ in range(10):
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.connect(str(lanpost.control))
                client.sendall(b"GET /api/v1/sta")
            lanpost.send(scan("beside"))
            lanpost.wait_event("accepted")


class Socket(Control):
    def test_modes(self):
        lanpost = self.server()
        self.assertEqual(stat.S_IMODE(lanpost.control.stat().st_mode), 0o660)
        self.assertEqual(stat.S_IMODE(lanpost.spool.stat().st_mode), 0o700)
        self.assertTrue(stat.S_ISSOCK(lanpost.control.stat().st_mode))

    def test_it_goes_with_the_server(self):
        lanpost = self.server()
        self.assertEqual(lanpost.stop(), 0)
        self.assertFalse(lanpost.control.exists())

    def test_a_stale_one_is_replaced(self):
        lanpost = self.server()
        lanpost.kill()
        self.assertTrue(lanpost.control.exists())
        self.assertIn("[]", lanpost.command("queue", "--json", check=OK).stdout)
        lanpost.start()
        lanpost.wait_control()

    def test_another_file_of_that_name_stays(self):
        """Mail goes out all the same, and the log says what is missing."""
        lanpost = Lanpost(account=NOWHERE)
        lanpost.spool.mkdir(mode=0o700)
        lanpost.control.write_text("not a socket")
        self.start(lanpost)
        event = lanpost.wait_event("warning", text=lambda t: "commands" in t)
        self.assertIn("control.sock", event["error"])
        self.assertEqual(lanpost.control.read_text(), "not a socket")
        lanpost.send(scan("without"))
        lanpost.wait_event("accepted")

    def test_a_second_server_leaves_it_alone(self):
        lanpost = self.server()
        second = Lanpost(account=lanpost.account,
                         relay={"spool": lanpost.spool})
        self.addCleanup(second.clean)
        second.write_config()
        second.command("serve", check=TEMPFAIL)
        self.assertEqual(lanpost.ask("/healthz")[0], 200)

    def test_a_long_path(self):
        """Longer than the address of a Unix socket may be."""
        folder = tempfile.mkdtemp(prefix="lplong")
        self.addCleanup(subprocess.run, ["rm", "-rf", folder])
        deep = pathlib.Path(folder, *["a-folder-with-a-name"] * 5)
        deep.mkdir(parents=True)
        lanpost = self.start(Lanpost(
            account=NOWHERE, relay={"spool": deep / "spool"}))
        wait_until((deep / "spool/control.sock").exists, "the socket",
                   why=lanpost.log_text)
        said = lanpost.command("account", "pause", "default", check=OK)
        self.assertIn("default", said.stdout)
        lanpost.stop()
        self.assertFalse((deep / "spool/control.sock").exists())


class Shutdown(Control):
    def test_with_requests_open(self):
        """Unfinished ones do not hold the end up, nor does a crowd that
        asks all the time."""
        lanpost = self.server()
        idle = [self.connect(lanpost) for _ in range(5)]
        for client in idle:
            client.sendall(b"GET /api/v1/status HTTP/1.1\r\n")
        asking = subprocess.Popen(
            ["sh", "-c", 'while "$0" -s --unix-socket "$1" '
             'http://lanpost/api/v1/status; do :; done', need("curl"),
             lanpost.control], stdout=subprocess.DEVNULL)
        self.addCleanup(asking.wait)
        self.addCleanup(asking.kill)
        for _ in range(20):
            self.assertEqual(lanpost.ask("/api/v1/status")[0], 200)
        lanpost.signal(signal.SIGTERM)
        self.assertEqual(lanpost.wait(), 0)
        asking.wait(DEADLINE)
        for client in idle:
            self.rest(client)

    def test_it_answers_while_draining(self):
        lanpost = self.server()
        client = lanpost.raw()
        client.ask("EHLO printer")
        for line in ("MAIL FROM:<a@lan.test>", "RCPT TO:<b@example.test>",
                     "DATA"):
            client.ask(line)
        lanpost.signal(signal.SIGTERM)
        lanpost.wait_event("stopping")
        self.assertEqual(lanpost.ask("/api/v1/status")[0], 200)
        client.send(b"Subject: last\r\n\r\n.\r\n")
        self.assertEqual(client.reply()[:3], "250")
        client.close()
        self.assertEqual(lanpost.wait(), 0)


if __name__ == "__main__":
    main()
