"""The practice provider does what its scripts say, seen by Python's smtplib.

A test tool that misbehaves differently from what was asked for would make
every test that relies on it worthless.
"""
import base64
import glob
import json
import os
import signal
import smtplib
import ssl
import subprocess
import tempfile
import time
import unittest
import warnings

BUILD = os.environ.get("LANPOST_BUILD", "build/dev")
PROVIDER = os.path.join(BUILD, "tests", "practice-provider")
SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..",
                       "provider", "scripts")
DEADLINE_S = 20
MESSAGE = ("From: a@example.com\r\nMessage-ID: <m1@example.com>\r\n"
           "X-Token: token-1\r\nSubject: hello\r\n\r\nHello\r\n.dot\r\n")


class Provider:
    def __init__(self, *options, script=None):
        self.dir = tempfile.TemporaryDirectory()
        port_file = self.path("port")
        command = [PROVIDER, "--quiet", "--dir", self.dir.name,
                   "--port-file", port_file, *options]
        if script is not None:
            self.write_script(script)
            command += ["--script", self.path("script")]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE,
                                        text=True)
        deadline = time.monotonic() + DEADLINE_S
        while not os.path.exists(port_file):
            if self.process.poll() is not None or \
                    time.monotonic() > deadline:
                raise RuntimeError("the provider does not start")
            time.sleep(0.01)
        with open(port_file) as file:
            self.port = int(file.read())

    def path(self, name):
        return os.path.join(self.dir.name, name)

    def write_script(self, script):
        with open(self.path("script"), "w") as file:
            file.write(script + "\n")

    def context(self):
        return ssl.create_default_context(cafile=self.path("ca.pem"))

    def client(self, timeout=DEADLINE_S):
        smtp = smtplib.SMTP("localhost", self.port, timeout=timeout)
        smtp.starttls(context=self.context())
        return smtp

    def stop(self):
        self.process.terminate()
        out, _ = self.process.communicate(timeout=DEADLINE_S)
        assert self.process.returncode == 0
        self.dir.cleanup()
        return dict((key, int(value)) for key, value in
                    (pair.split("=") for pair in out.split()))


def outcome(provider, timeout=DEADLINE_S, recipients=("x@example.net",)):
    """One word: ok, a reply's code, or how the connection ended."""
    try:
        smtp = provider.client(timeout)
        smtp.login("user", "secret")
        refused = smtp.sendmail("a@example.com", list(recipients), MESSAGE)
        smtp.quit()
        return ",".join(str(code) for code, _ in refused.values()) or "ok"
    except smtplib.SMTPRecipientsRefused as error:
        return ",".join(str(code) for code, _ in error.recipients.values())
    except smtplib.SMTPResponseException as error:
        return "garbage" if error.smtp_code < 200 else str(error.smtp_code)
    except smtplib.SMTPNotSupportedError:
        return "not offered"
    except TimeoutError:
        return "hang"
    except ConnectionResetError:
        return "reset"
    except ssl.SSLError as error:
        return "closed" if "EOF" in str(error) else "no tls"
    except smtplib.SMTPServerDisconnected as error:
        text = str(error)
        return "hang" if "timed out" in text else \
               "reset" if "reset" in text else "closed"


class TestPracticeProvider(unittest.TestCase):
    def setUp(self):
        # smtplib leaves sockets open when a greeting is refused.
        warnings.simplefilter("ignore", ResourceWarning)

    def run_with(self, *options, **named):
        provider = Provider(*options, **named)
        self.addCleanup(provider.process.kill)
        return provider

    def test_takes_mail_and_tells_of_it(self):
        provider = self.run_with("--user", "me", "--password", "secret")
        smtp = provider.client()
        smtp.login("me", "secret")
        smtp.sendmail("a@example.com", ["b@example.net", "c@example.net"],
                      MESSAGE)
        smtp.quit()
        with open(provider.path("new/000001.eml"), "rb") as file:
            self.assertEqual(file.read(), MESSAGE.encode())
        with open(provider.path("new/000001.json")) as file:
            envelope = json.load(file)
        self.assertEqual(envelope["from"], "a@example.com")
        self.assertEqual(envelope["recipients"],
                         ["b@example.net", "c@example.net"])
        self.assertEqual(envelope["auth_user"], "me")
        self.assertEqual(envelope["tls_version"], "TLSv1.3")
        self.assertEqual(provider.stop(), {
            "connections": 1, "logins": 1, "transactions": 1, "messages": 1,
            "octets": len(MESSAGE), "refused": 0})

    def test_limits(self):
        """As Microsoft 365 says them; what is over them is counted."""
        provider = self.run_with(
            "--discard", "--limits", "minute=3 day=7 connections=1 "
            "recipients=4")
        self.assertEqual(outcome(provider), "ok")
        many = [f"{n}@example.net" for n in range(5)]
        self.assertEqual(outcome(provider, recipients=many), "452")
        held = provider.client()
        self.assertEqual(outcome(provider), "432")
        held.quit()
        self.assertEqual(outcome(provider, recipients=many[:3]), "554")
        self.assertEqual(outcome(provider), "ok")
        self.assertEqual(outcome(provider), "432")
        counts = provider.stop()
        self.assertEqual((counts["messages"], counts["refused"]), (3, 4))

    def test_journal(self):
        with tempfile.TemporaryDirectory() as folder:
            journal = os.path.join(folder, "journal")
            provider = self.run_with("--discard", "--journal", journal)
            self.assertEqual(outcome(provider), "ok")
            with open(journal) as file:
                self.assertEqual(file.read(), "<m1@example.com>\ttoken-1\t"
                                 "<a@example.com>\tx@example.net\t%d\n" %
                                 len(MESSAGE))
            provider.stop()

    def test_demands_the_login(self):
        provider = self.run_with("--discard", "--user", "me", "--password",
                                 "secret", "--auth", "LOGIN XOAUTH2")
        smtp = provider.client()
        with self.assertRaises(smtplib.SMTPAuthenticationError):
            smtp.login("me", "wrong")
        with self.assertRaises(smtplib.SMTPSenderRefused):
            smtp.sendmail("a@example.com", ["b@example.net"], MESSAGE)
        token = base64.b64encode(b"user=me\1auth=Bearer secret\1\1").decode()
        self.assertEqual(smtp.docmd("AUTH", "PLAIN AGEAYg==")[0], 504)
        self.assertEqual(smtp.docmd("AUTH", "XOAUTH2 " + token)[0], 235)
        smtp.sendmail("a@example.com", ["b@example.net"], MESSAGE)
        smtp.quit()
        self.assertEqual(provider.stop()["logins"], 1)

    def test_does_what_the_script_says(self):
        rows = [
            ("", "ok", 1),
            ("stage=connect do=close", "closed", 0),
            ("stage=connect do=reset", "reset", 0),
            ("stage=connect do=hang", "hang", 0),
            ("stage=connect do=garbage", "garbage", 0),
            ("stage=connect do=delay:100", "ok", 1),
            ("stage=connect do=trickle:2", "ok", 1),
            ("stage=connect reply=\"421 4.3.2 busy\"", "421", 0),
            ("stage=ehlo do=drop-starttls", "not offered", 0),
            ("stage=ehlo do=trickle:1", "ok", 1),
            ("stage=starttls reply=\"454 4.7.0 no\"", "454", 0),
            ("stage=starttls do=close", "closed", 0),
            ("stage=tls do=close", "closed", 0),
            ("stage=tls do=hang", "hang", 0),
            ("stage=tls do=garbage", "no tls", 0),
            ("stage=tls do=delay:100", "ok", 1),
            ("stage=auth reply=\"535 5.7.139 no\\nand no\"", "535", 0),
            ("stage=auth match=other* reply=\"535 no\"", "ok", 1),
            ("stage=mail reply=\"550 5.7.60 no\"", "550", 0),
            ("stage=mail after=1 reply=\"550 5.7.60 no\"", "ok", 1),
            ("stage=rcpt match=x@* reply=\"550 5.1.1 no\"", "550", 0),
            ("stage=data reply=\"451 4.3.0 no\"", "451", 0),
            ("stage=data do=hang", "hang", 0),
            ("stage=body do=close", "closed", 0),
            ("stage=body reply=\"552 5.3.4 big\"", "552", 0),
            ("stage=body after=100000 do=close", "ok", 1),
            ("stage=body do=delay:100", "ok", 1),
            ("stage=data-end reply=\"550 5.7.1 no\"", "550", 0),
            ("stage=data-end match=x@* do=close", "closed", 0),
            ("stage=data-end do=close keep=yes", "closed", 1),
            ("stage=data-end do=delay:100", "ok", 1),
            ("stage=data-end do=trickle:2", "ok", 1),
            ("stage=data-end do=garbage", "garbage", 0),
            ("stage=idle after=1 do=close", "closed", 1),
            ("stage=idle after=2 do=close", "ok", 1),
        ]
        for script, expected, messages in rows:
            with self.subTest(script=script):
                provider = self.run_with("--discard", script=script)
                timeout = 1 if expected == "hang" else DEADLINE_S
                self.assertEqual(outcome(provider, timeout), expected)
                self.assertEqual(provider.stop()["messages"], messages)

    def test_injects_behind_starttls(self):
        provider = self.run_with("--discard",
                                 script="stage=starttls "
                                        "do=inject-after-starttls")
        smtp = smtplib.SMTP("localhost", provider.port, timeout=DEADLINE_S)
        smtp.ehlo()
        self.assertEqual(smtp.docmd("STARTTLS")[0], 220)
        self.assertEqual(smtp.getreply()[0], 250)
        smtp.close()
        provider.stop()

    def test_rules_are_used_up_and_reread(self):
        provider = self.run_with(
            "--discard", "--tls", "none", "--auth", "",
            script="stage=mail times=2 reply=\"450 later\"")
        smtp = smtplib.SMTP("localhost", provider.port, timeout=DEADLINE_S)
        smtp.ehlo()
        codes = []
        for _ in range(3):
            codes.append(smtp.mail("a@example.com")[0])
            smtp.rset()
        self.assertEqual(codes, [450, 450, 250])
        provider.write_script("stage=mail reply=\"550 never\"")
        provider.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + DEADLINE_S
        while smtp.mail("a@example.com")[0] != 550:
            smtp.rset()
            self.assertLess(time.monotonic(), deadline)
        smtp.quit()
        provider.stop()

    def test_the_providers_words_can_be_spoken(self):
        for path in glob.glob(os.path.join(SCRIPTS, "*.script")):
            with self.subTest(path=path), open(path) as file:
                provider = self.run_with("--discard", script=file.read())
                self.assertEqual(outcome(provider), "ok")
                provider.stop()

    def test_a_mistake_in_a_script_is_told_with_its_line(self):
        with tempfile.NamedTemporaryFile("w", suffix=".script") as file:
            file.write("# fine\nstage=mail reply=\"550 no\"\nstage=nowhere\n")
            file.flush()
            run = subprocess.run([PROVIDER, "--discard", "--tls", "none",
                                  "--script", file.name],
                                 capture_output=True, text=True, timeout=20)
        self.assertEqual(run.returncode, 78)
        self.assertIn(file.name + ":3: there is no stage \"nowhere\"",
                      run.stderr)


if __name__ == "__main__":
    unittest.main()
