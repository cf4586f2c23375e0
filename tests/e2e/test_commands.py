"""The commands beside serve, their exit codes, and errors that teach."""

import json
import subprocess

from e2e_devices import scan
from e2e_providers import USER, PracticeProvider
from e2e_tools import built
from lanpost_e2e import Lanpost, TestCase, main

OK, USAGE, UNAVAILABLE, TEMPFAIL, CONFIG = 0, 64, 69, 75, 78

# What is wrong, in a file; what the error must say.
BROKEN = {
    "unknown key": ("[account]\nprovider = office365\npasword = x\n",
                    [":3:", "pasword", "password"]),
    "unknown section": ("[relay]\n\n[acount]\nprovider = gmail\n",
                        [":3:", "acount", "account"]),
    "unknown provider": ("[account]\nprovider = ofice365\nusername = a@b.c\n",
                         [":2:", "ofice365", "office365"]),
    "no number": ("[listener]\nmax_connections = many\n",
                  [":2:", "max_connections", "many"]),
    "no duration": ("[relay]\nexpire = 5 moons\n", [":2:", "expire"]),
    "no size": ("[relay]\nmax_message_size = big\n",
                [":2:", "max_message_size"]),
    "no network": ("[listener]\nallow = 10.0.0.0/33\n",
                   [":2:", "allow", "10.0.0.0/33"]),
    "public without consent": ("[listener]\nallow = 0.0.0.0/0\n"
                               "[account]\nprovider = gmail\n"
                               "username = a@b.c\npassword = x\n",
                               [":2:", "allow_public"]),
    "key before a section": ("spool = /tmp\n", [":1:"]),
    "an over-long line": ("[account]\nusername = " + "x" * 300 + "\n",
                          [":2:"]),
    "no account": ("[relay]\nhostname = relay.test\n", ["account"]),
    "a password in the clear": ("[account]\nhost = mail.example.test\n"
                                "tls = none\nusername = u@example.test\n"
                                "password = x\n", ["tls"]),
}


def lanpost(*arguments):
    return subprocess.run([built("lanpost"), *arguments], text=True,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=60)


class Usage(TestCase):
    def test_exit_codes(self):
        for arguments, code in (
                ((), OK), (("--help",), OK), (("--version",), OK),
                (("sevre",), USAGE), (("--nonsense",), USAGE),
                (("test",), USAGE), (("queue", "nonsense"), USAGE),
                (("check", "--nonsense"), USAGE), (("-c",), USAGE),
                (("-c", "/nowhere/lanpost.conf", "check"), CONFIG),
                (("-c", "/nowhere/lanpost.conf", "serve"), CONFIG)):
            with self.subTest(arguments=arguments):
                done = lanpost(*arguments)
                self.assertEqual(done.returncode, code,
                                 done.stdout + done.stderr)
                self.assertTrue(done.stdout if code == OK else done.stderr)

    def test_help_names_every_command(self):
        said = lanpost().stdout
        for command in ("serve", "check", "explain", "test", "queue",
                        "providers"):
            self.assertIn(command, said)

    def test_version_is_a_number(self):
        self.assertRegex(lanpost("--version").stdout, r"^lanpost \d+\.\d+\.\d+")

    def test_providers(self):
        said = lanpost("providers").stdout
        for word in ("office365", "smtp.office365.com", "gmail",
                     "smtp.gmail.com"):
            self.assertIn(word, said)


    def test_presets_of_ones_own(self):
        server = Lanpost(account={"provider": "intern", "username": USER,
                                  "password": "x", "tls": "starttls"})
        self.addCleanup(server.clean)
        server.write_config()
        folder = server.config.parent / "providers.d"
        folder.mkdir()
        (folder / "own.ini").write_text(
            "[intern]\nhost = mail.example.test\nmessages_per_minute = 9\n"
            "[gmail]\nconnections = 4\n")
        for preset, words in (("intern", [str(folder / "own.ini")]),
                              ("gmail", [f"{folder / 'own.ini'}:5",
                                         "connections"])):
            said = server.command("providers", preset)
            self.assertEqual(said.returncode, OK, said.stderr)
            for word in words:
                self.assertIn(word, said.stdout)
            self.assertNotRegex(said.stdout, r"(?m)^[a-z ]+ $")
            self.assertEqual("not enforced" in said.stdout, preset == "gmail")
        said = server.command("check")
        self.assertEqual(said.returncode, OK, said.stderr)
        self.assertRegex(said.stdout, r"messages_per_minute = 9 .*preset intern")
        gmail = json.loads(server.command("providers", "gmail", "--json").stdout)
        self.assertEqual(gmail["connections"], 4)
        self.assertIsNone(gmail["origin"]["file"])
        self.assertEqual(list(gmail["origin"]["changes"]), ["connections"])
        self.assertIn("messages_per_day", gmail["uncertain"])
        (folder / "own.ini").write_text("[intern]\nhots = a.example\n")
        for command in ("check", "serve", "providers"):
            done = server.command(command)
            self.assertEqual(done.returncode, CONFIG, done.stderr)
            self.assertIn(f"{folder / 'own.ini'}:2: ", done.stderr)
            self.assertIn("host", done.stderr)


class Configuration(TestCase):
    def test_broken_files(self):
        for what, (text, words) in BROKEN.items():
            for command in ("check", "serve"):
                with self.subTest(what=what, command=command):
                    server = Lanpost()
                    self.addCleanup(server.clean)
                    server.config.write_text(text)
                    done = server.command(command)
                    self.assertEqual(done.returncode, CONFIG, done.stderr)
                    for word in words:
                        self.assertIn(word, done.stderr)

    def test_secrets_open_to_all_are_refused(self):
        server = Lanpost(account={"host": "mail.example.test", "username": USER,
                                  "password": "x"})
        self.addCleanup(server.clean)
        server.write_config()
        (server.folder / "password").chmod(0o644)
        done = server.command("check", check=CONFIG)
        self.assertIn("chmod", done.stderr)
        self.assertIn(str(server.folder / "password"), done.stderr)

    def test_check_shows_all_and_hides_the_secret(self):
        server = Lanpost(account={"provider": "office365", "username": USER,
                                  "password": "SecretFourTwo"})
        self.addCleanup(server.clean)
        server.write_config()
        done = server.command("check", check=OK)
        for word in (USER, "smtp.office365.com", "587", "starttls",
                     str(server.spool)):
            self.assertIn(word, done.stdout)
        self.assertNotIn("SecretFourTwo", done.stdout + done.stderr)

    def test_environment_alone(self):
        server = Lanpost()
        self.addCleanup(server.clean)
        server.environment |= {
            "LANPOST_ACCOUNT_PROVIDER": "office365",
            "LANPOST_ACCOUNT_USERNAME": USER,
            "LANPOST_ACCOUNT_PASSWORD": "SecretFourTwo",
            "LANPOST_RELAY_SPOOL": str(server.spool),
            "LANPOST_LISTENER_MAX_CONNECTIONS": "77"}
        server.config.write_text("[listener]\nmax_connections = 5\n")
        done = server.command("check", check=OK)
        self.assertRegex(done.stdout, r"max_connections\s*=\s*77\b")
        server.environment["LANPOST_LISTENER_MAX_CONECTIONS"] = "3"
        done = server.command("check", check=CONFIG)
        self.assertIn("LANPOST_LISTENER_MAX_CONECTIONS", done.stderr)


class WithProvider(TestCase):
    def test_test(self):
        provider = self.start(PracticeProvider(self.ca))
        server = Lanpost(account=provider.account())
        self.addCleanup(server.clean)
        server.write_config()
        done = server.command("test", "boss@example.test", check=OK)
        for step in ("connect", "tls", "login", "sender", "recipient",
                     "data"):
            self.assertRegex(done.stdout.lower(), rf"\b{step}")
        arrived = provider.wait_arrived(1)
        self.assertEqual(arrived[0].recipients, ["boss@example.test"])
        self.assertEqual(arrived[0].sender, USER)

    def test_test_says_which_step_failed(self):
        provider = self.start(PracticeProvider(self.ca))
        server = Lanpost(account=provider.account(password="Not-It-7"))
        self.addCleanup(server.clean)
        server.write_config()
        done = server.command("test", "boss@example.test", check=UNAVAILABLE)
        said = done.stdout + done.stderr
        self.assertIn("535", said)
        self.assertIn("password", said)
        self.assertNotIn("Not-It-7", said)
        self.assertEqual(provider.arrived(), [])

    def test_queue_list(self):
        """With a server and, from the database, without one."""
        provider = PracticeProvider(self.ca)
        self.addCleanup(provider.clean)   # not started: nobody answers
        server = self.start(Lanpost(account=provider.account()))
        self.assertEqual(server.command("queue", check=OK).stderr, "")
        server.send(scan("queued-one"))
        accepted = server.wait_event("accepted")
        server.wait_event("deferred", id=accepted["id"])
        for running in (True, False):
            with self.subTest(running=running):
                for arguments in (("queue",), ("queue", "list")):
                    said = server.command(*arguments, check=OK).stdout
                    self.assertIn(accepted["id"], said)
                    self.assertIn("boss@example.test", said)
            if running:
                server.stop()


if __name__ == "__main__":
    main()
