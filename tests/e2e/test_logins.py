"""Devices log in: with anything where any login will do, with what stands in
the file where that is asked for; and no password stays anywhere."""

import base64
import os
import pty
import re
import select
import smtplib
import subprocess
import threading

from e2e_devices import Refused, scan
from e2e_providers import PracticeProvider
from e2e_secure_devices import SECURE_DEVICES, trusting
from e2e_tools import DEADLINE, built, wait_until
from lanpost_e2e import Lanpost, TestCase, main
from test_secrets import disguises

TO = ("boss@example.test",)
USER, PASSWORD = "scanner-2@lan.test", "Drucker-5%+ =:'\"x"
FRIEND, STRANGER = "127.1.1.10", "127.1.2.20"


def b64(text):
    return base64.b64encode(text.encode()).decode()


def line_for(user, password):
    done = subprocess.run([built("lanpost"), "password", user],
                          input=password.encode() + b"\n",
                          capture_output=True, check=True)
    return done.stdout.decode()


class Logins(TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.line = line_for(USER, PASSWORD)
        cls.provider = PracticeProvider(cls.ca)
        cls.provider.start()
        cls.addClassCleanup(cls._end, cls.provider)

    def lanpost(self, users=None, more="", start=True, **listener):
        lanpost = Lanpost(account=self.provider.account(), more=more,
                          relay={"log_level": "debug"}, listener=listener)
        lanpost.users = lanpost.folder / "users"
        if users is not None:
            self.write(lanpost, users)
            lanpost.listener["auth"] = lanpost.users
        if start:
            self.start(lanpost)
        else:
            self.addCleanup(lanpost.clean)
        return lanpost

    @staticmethod
    def write(lanpost, lines, mode=0o600):
        new = lanpost.folder / "users.new"
        new.write_text(lines, "utf-8")
        new.chmod(mode)
        os.replace(new, lanpost.users)

    def login(self, lanpost, user=USER, password=PASSWORD, client=None):
        """The reply to AUTH LOGIN."""
        client = client or lanpost.raw()
        client.ask("EHLO printer")
        if (said := client.ask("AUTH LOGIN")) != "334 VXNlcm5hbWU6":
            return said
        self.assertEqual(client.ask(b64(user)), "334 UGFzc3dvcmQ6")
        return client.ask(b64(password))

    def assert_no_secret(self, lanpost, *passwords):
        texts = {path: path.read_bytes() for path in
                 lanpost.folder.rglob("*") if path.is_file()}
        self.assertIn(lanpost.folder / "log", texts)
        for password in passwords:
            for where, text in texts.items():
                for form in disguises(USER, password):
                    self.assertNotIn(form, text, f"{form} in {where}")

    # ---- any login will do

    def test_any_login_of_devices(self):
        for mechanism in ("PLAIN", "LOGIN"):
            for tls in ("off", "starttls", "implicit"):
                lanpost = self.lanpost(auth="any", tls=tls)
                for name, device in SECURE_DEVICES.items():
                    with self.subTest(mechanism, tls=tls, device=name):
                        mark = lanpost.mark()
                        device(lanpost.address, scan(f"any-{name}"),
                               "printer@lan.test", TO, tls=tls,
                               login=(USER, PASSWORD), mechanism=mechanism)
                        lanpost.wait_event("delivered", since=mark)
                SECURE_DEVICES["python"](lanpost.address, scan("without"),
                                         "printer@lan.test", TO, tls=tls)
                lanpost.wait_event("delivered", count=len(SECURE_DEVICES) + 1)
                lanpost.stop()
                self.assert_no_secret(lanpost, PASSWORD)

    def test_prompts_to_the_letter(self):
        """Devices compare them; a user name may come with AUTH (Q43, Q44)."""
        lanpost = self.lanpost(auth="any")
        for hello in ("EHLO printer", "HELO printer"):
            for auth, prompts in (
                    ("AUTH LOGIN", ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"]),
                    ("auth login", ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6"]),
                    (f"AUTH LOGIN {b64(USER)}", ["334 UGFzc3dvcmQ6"]),
                    ("AUTH PLAIN", ["334 "])):
                with self.subTest(hello=hello, auth=auth):
                    client = lanpost.raw()
                    client.ask(hello)
                    said = client.ask(auth)
                    for prompt in prompts:
                        self.assertEqual(said, prompt)
                        said = client.ask(b64("\0me\0secret" if "PLAIN"
                                              in auth else "me"))
                    self.assertEqual(said[:9], "235 2.7.0")
                    self.assertEqual(client.ask("MAIL FROM:<a@b.c>")[:3],
                                     "250")
                    client.close()

    def test_any_mechanism_and_any_nonsense(self):
        lanpost = self.lanpost(auth="any")
        for lines in (["AUTH CRAM-MD5", b64("me 0123456789abcdef")],
                      ["AUTH XOAUTH2 " + b64("user=me\1auth=Bearer x\1\1")],
                      ["AUTH PLAIN " + b64("no NUL in it")],
                      ["AUTH PLAIN", b64("\0me")],
                      ["AUTH LOGIN =", "="],
                      ["AUTH LOGIN", b64("a\x01b"), b64("c")]):
            with self.subTest(lines=lines):
                client = lanpost.raw()
                client.ask("EHLO printer")
                said = [client.ask(line) for line in lines
                        if client is not None]
                self.assertIn("235 2.7.0", " ".join(said))
                client.close()

    def test_any_login_of_one_device(self):
        lanpost = self.lanpost(allow="127.0.0.0/8", more=(
            "[device copier]\n"f"address = {FRIEND}\nauth = any\n"))
        client = lanpost.raw(FRIEND)
        self.assertIn("AUTH PLAIN LOGIN", client.ask("EHLO copier"))
        self.assertEqual(self.login(lanpost, client=client)[:9], "235 2.7.0")
        client.ask("MAIL FROM:<copier@lan.test>")
        client.ask("RCPT TO:<boss@example.test>")
        client.ask("DATA")
        self.assertEqual(client.ask("Subject: hello\r\n\r\nhello\r\n.")[:3],
                         "250")
        lanpost.wait_event("connected", client=FRIEND, device="copier")
        lanpost.wait_event("delivered")
        other = lanpost.raw(STRANGER)
        self.assertNotIn("AUTH", other.ask("EHLO other"))
        self.assertEqual(other.ask(f"AUTH PLAIN {b64(USER)}")[:3], "503")
        rejected = lanpost.wait_event("rejected", client=STRANGER)
        self.assertIn("auth = any", rejected["fix"])
        self.assertNotIn("device", rejected)
        self.assert_no_secret(lanpost, PASSWORD)

    def test_any_login_of_one_device_where_others_must(self):
        lanpost = self.lanpost(users=self.line, allow="127.0.0.0/8", more=(
            f"[device copier]\naddress = {FRIEND}\nauth = any\n"))
        copier, other = lanpost.raw(FRIEND), lanpost.raw(STRANGER)
        self.assertEqual(self.login(lanpost, "x", "y", copier)[:3], "235")
        self.assertEqual(self.login(lanpost, "x", "y", other)[:3], "535")
        silent = lanpost.raw(FRIEND)
        silent.ask("EHLO silent")
        self.assertEqual(silent.ask("MAIL FROM:<a@b.c>")[:3], "250")

    # ---- the file

    def test_the_right_login_of_devices(self):
        for mechanism in ("PLAIN", "LOGIN"):
            for tls in ("off", "starttls", "implicit"):
                lanpost = self.lanpost(users=self.line, tls=tls)
                word = "ESMTPA" if tls == "off" else "ESMTPSA"
                for name, device in SECURE_DEVICES.items():
                    with self.subTest(mechanism, tls=tls, device=name):
                        mark = lanpost.mark()
                        before = len(self.provider.arrived())
                        device(lanpost.address, scan(f"right-{name}"),
                               "printer@lan.test", TO, tls=tls,
                               login=(USER, PASSWORD), mechanism=mechanism)
                        lanpost.wait_event("delivered", since=mark)
                        got = self.provider.wait_copies(before, TO)[0]
                        self.assertRegex(got.get("Received")[0],
                                         rf"with {word}\b")
                self.assertEqual(lanpost.events("rejected"), [])
                lanpost.stop()
                self.assert_no_secret(lanpost, PASSWORD)

    def test_the_wrong_login_of_devices(self):
        lanpost = self.lanpost(users=self.line, tls="implicit")
        wrong = "Wrong-" + PASSWORD[::-1]
        for mechanism in ("PLAIN", "LOGIN"):
            for name, device in SECURE_DEVICES.items():
                for login in ((USER, wrong), ("nobody", PASSWORD), None):
                    with self.subTest(mechanism, device=name, login=login):
                        mark = lanpost.mark()
                        with self.assertRaises(Refused):
                            device(lanpost.address, scan("wrong"),
                                   "printer@lan.test", TO, tls="implicit",
                                   login=login, mechanism=mechanism)
                        code = "535 5.7.8" if login else "530 5.7.0"
                        rejected = lanpost.wait_event(
                            "rejected", since=mark, client="127.0.0.1",
                            reply=lambda r, code=code: r.startswith(code))
                        if login:
                            self.assertEqual(rejected["user"], login[0])
                            self.assertIn("lanpost password", rejected["fix"])
                        else:
                            self.assertIn("auth of this listener",
                                          rejected["fix"])
        self.assertEqual(lanpost.events("accepted"), [])
        self.assert_no_secret(lanpost, PASSWORD, wrong)

    def test_not_in_the_clear(self):
        """Where TLS can be had, the password waits for it."""
        for tls in ("starttls", "required"):
            with self.subTest(tls=tls):
                lanpost = self.lanpost(users=self.line, tls=tls)
                client = lanpost.raw()
                self.assertNotIn("AUTH", client.ask("EHLO printer"))
                self.assertRegex(client.ask("AUTH LOGIN"), "^5")
                self.assertRegex(client.ask("MAIL FROM:<a@b.c>"), "^530 5.7.0")
                rejected = lanpost.wait_event("rejected", command="AUTH LOGIN")
                self.assertIn("STARTTLS", rejected.get("fix", "") +
                              rejected["reply"])
                with lanpost.smtp() as smtp:
                    smtp.starttls(context=trusting(None))
                    smtp.ehlo()
                    self.assertEqual(smtp.esmtp_features["auth"].split(),
                                     ["PLAIN", "LOGIN"])
                lanpost.stop()

    def test_octets_beyond_ascii(self):
        user, password = "büro", "Drucker-5%+ =äß\u20ac"
        lanpost = self.lanpost(users=line_for(user, password))
        self.assertEqual(self.login(lanpost, user, password)[:3], "235")
        self.assertEqual(self.login(lanpost, user, password[:-1])[:3], "535")

    def test_three_failures(self):
        lanpost = self.lanpost(users=self.line)
        client = lanpost.raw()
        for _ in range(3):
            self.assertEqual(self.login(lanpost, USER, "guess", client)[:9],
                             "535 5.7.8")
        self.assertEqual(client.reply()[:9], "421 4.7.0")
        self.assertEqual(client.reply(), "")
        lanpost.wait_event("rejected", command="AUTH", count=3)
        self.assertEqual(self.login(lanpost)[:3], "235")

    def test_odd_user_names_in_the_log(self):
        lanpost = self.lanpost(users=self.line)
        for user, told in (("x" * 900, "x" * 100),
                           ("a\"b level=error \\", "a\"b level=error \\"),
                           ("ü\xff", None)):
            with self.subTest(user=user):
                mark = lanpost.mark()
                self.assertEqual(self.login(lanpost, user, "pw")[:3], "535")
                rejected = lanpost.wait_event("rejected", since=mark)
                self.assertEqual(rejected.name, "rejected")
                if told:
                    self.assertEqual(rejected["user"], told)
        client = lanpost.raw()
        client.ask("EHLO printer")
        client.ask("AUTH LOGIN")
        self.assertEqual(client.ask(b64("a\r\nb"))[:3], "535")

    def test_who_hangs_up_while_it_is_checked(self):
        lanpost = self.lanpost(users=self.line)
        for _ in range(20):
            client = lanpost.raw()
            client.ask("EHLO printer")
            client.send(f"AUTH PLAIN {b64(chr(0) + USER + chr(0) + 'x')}\r\n"
                        .encode())
            client.close()
        wait_until(lambda: self.login(lanpost)[:3] == "235", "a login")
        self.assertEqual(lanpost.stop(), 0)

    def test_many_at_once(self):
        """All are answered, and whoever needs no login is not held up."""
        lanpost = self.lanpost(users=self.line, allow="127.0.0.0/8", more=(
            f"[device copier]\naddress = {FRIEND}\nauth = any\n"),
            max_connections_per_client="200")
        replies = []

        def one():
            replies.append(self.login(lanpost))

        threads = [threading.Thread(target=one) for _ in range(90)]
        for thread in threads:
            thread.start()
        lanpost.raw(FRIEND).ask("MAIL FROM:<a@b.c>")
        for thread in threads:
            thread.join(DEADLINE)
        self.assertEqual(len(replies), 90)
        self.assertLessEqual({reply[:9] for reply in replies},
                             {"235 2.7.0", "454 4.7.0"})
        self.assertGreaterEqual(
            sum(reply.startswith("235") for reply in replies), 60)

    def test_the_file_changes(self):
        lanpost = self.lanpost(users="# nobody yet\n")
        self.assertEqual(self.login(lanpost)[:3], "535")
        lanpost.wait_event("warning", text=lambda t: "nobody can log in" in t)
        self.write(lanpost, self.line)
        self.assertEqual(self.login(lanpost)[:3], "235")
        lanpost.users.unlink()
        self.assertEqual(self.login(lanpost)[:9], "454 4.7.0")
        lanpost.wait_event("warning",
                           text=lambda t: t.startswith(str(lanpost.users)))
        self.write(lanpost, self.line)
        self.assertEqual(self.login(lanpost)[:3], "235")

    def test_faults_of_the_file(self):
        lanpost = self.lanpost(start=False, users="")
        self.write(lanpost, f"# users\nno colon here\ncopier:plaintext\n"
                   f"{self.line}{self.line}", 0o644)
        self.start(lanpost)
        for words in (f"{lanpost.users}:2: no colon",
                      f"{lanpost.users}:3: what follows the colon",
                      f"{lanpost.users}:5: this user stands further up",
                      f"{lanpost.users}: others may read this file"):
            lanpost.wait_event("warning",
                               text=lambda t, words=words: t.startswith(words))
        self.assertEqual(self.login(lanpost)[:3], "235")
        self.assertEqual(self.login(lanpost, "copier", "plaintext")[:3], "535")
        self.assertNotIn("plaintext", lanpost.log_text())
        self.assertNotIn("$y$", lanpost.log_text())

    def test_no_file(self):
        lanpost = self.lanpost(start=False, users=self.line)
        lanpost.users.unlink()
        lanpost.start(listening=False)
        self.assertEqual(lanpost.wait(), 78)
        self.assertIn(str(lanpost.users), lanpost.log_text())

    def test_hashes_of_other_tools(self):
        done = subprocess.run(["openssl", "passwd", "-6", "-stdin"],
                              input=PASSWORD.encode() + b"\n",
                              capture_output=True, check=True)
        lanpost = self.lanpost(users=f"{USER}:{done.stdout.decode()}")
        self.assertEqual(self.login(lanpost)[:3], "235")
        self.assertEqual(self.login(lanpost, password="x")[:3], "535")

    # ---- the command

    def run_on_terminal(self, *answers):
        """lanpost password on a terminal; what it showed and printed."""
        terminal, child = pty.openpty()
        process = subprocess.Popen([built("lanpost"), "password", USER],
                                   stdin=child, stdout=subprocess.PIPE,
                                   stderr=child, close_fds=True)
        os.close(child)
        shown = b""
        for prompt, answer in zip((b"Password: ", b"again: "), answers):
            while not shown.endswith(prompt):
                self.assertTrue(select.select([terminal], [], [], DEADLINE)[0])
                shown += os.read(terminal, 1000)
            os.write(terminal, answer.encode() + b"\n")
        printed = process.communicate(timeout=DEADLINE)[0].decode()
        while select.select([terminal], [], [], 0)[0]:
            try:
                shown += os.read(terminal, 1000)
            except OSError:
                break
        os.close(terminal)
        return process.returncode, printed, shown.decode()

    def test_password_at_a_terminal(self):
        code, printed, shown = self.run_on_terminal("geheim", "geheim")
        self.assertEqual(code, 0)
        self.assertRegex(printed, rf"^{re.escape(USER)}:\$y\$\S+\n$")
        self.assertNotIn("geheim", shown)
        code, printed, shown = self.run_on_terminal("geheim", "anders")
        self.assertEqual((code, printed), (65, ""))
        self.assertIn("differ", shown)
        self.assertNotIn("geheim", shown)

    def test_password_from_standard_input(self):
        for text, code in (("geheim\n", 0), ("geheim", 0), ("geheim\r\n", 0),
                           ("", 65), ("\n", 65), ("x" * 600 + "\n", 65)):
            with self.subTest(text=text):
                done = subprocess.run([built("lanpost"), "password", "me"],
                                      input=text, text=True,
                                      capture_output=True)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertEqual(bool(done.stdout), code == 0)
                self.assertEqual(bool(done.stderr), code != 0)

    def test_password_of_whom(self):
        for words in ((), ("a", "b"), ("a:b",), ("",), ("#a",), (" a",),
                      ("--x",), ("a\nb",)):
            with self.subTest(words=words):
                done = subprocess.run([built("lanpost"), "password", *words],
                                      input="x\n", text=True,
                                      capture_output=True)
                self.assertEqual((done.returncode, done.stdout), (64, ""))
                self.assertIn("--help", done.stderr)


if __name__ == "__main__":
    main()
