"""lanpost_e2e -- the real program between real devices and real providers.

A test makes a provider (e2e_providers), starts a Lanpost that sends through
it, lets a device speak (e2e_devices), and asks the provider and the log what
became of the message:

    provider = self.start(PracticeProvider(self.ca))
    lanpost = self.start(Lanpost(account=provider.account()))
    lanpost.send(message)
    lanpost.wait_event("delivered", to="boss@example.test")

Everything lives in temporary folders and on loopback addresses, and ends with
the test.  Nothing is skipped: a missing tool fails the test with the name of
its Debian package.  Waiting is always for a condition, with a deadline that is
generous and never measured.
"""

import http.client
import json
import os
import pathlib
import re
import shutil
import smtplib
import socket
import subprocess
import tempfile
import unittest

from e2e_tools import (DEADLINE, Process, RawClient, TestCA, built, free_port,
                       loopback, wait_until)


class Event(dict):
    """One log line: time, level and name as attributes, its keys as items."""

    LINE = re.compile(r"(\S+) (\w+) ([\w-]+)(.*)", re.S)
    PAIR = re.compile(r'([\w.-]+)=("(?:[^"\\]|\\.)*"|\S*)')
    ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}

    @classmethod
    def parse(cls, line):
        if line.startswith("{"):
            return cls.parse_json(line)
        match = cls.LINE.fullmatch(line)
        if not match:
            return None
        event = cls()
        event.line = line
        event.time, event.level, event.name, rest = match.groups()
        for key, value in cls.PAIR.findall(rest):
            if value.startswith('"'):
                value = re.sub(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)",
                               cls._unescape, value[1:-1])
            event[key] = value
        return event

    @classmethod
    def parse_json(cls, line):
        keys = json.loads(line)
        event = cls()
        event.line = line
        event.time, event.level, event.name = (
            keys.pop(key) for key in ("time", "level", "event"))
        event.update((key, str(value)) for key, value in keys.items())
        return event

    @classmethod
    def _unescape(cls, match):
        code = match[1]
        if len(code) > 1:
            return chr(int(code[1:], 16))
        return cls.ESCAPES.get(code, code)


class LocalConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path):
        super().__init__("lanpost", timeout=DEADLINE)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Lanpost(Process):
    """The server.  Sections are dicts; address is where it listens."""

    def __init__(self, account=None, relay=None, listener=None, more="",
                 environment=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lp"))
        self.spool = self.folder / "spool"
        self.address = (loopback(), free_port(loopback()))
        self.relay = {"hostname": "relay.test", "spool": self.spool,
                      "retry": "1s", "min_free_disk": "1M", **(relay or {})}
        self.listener = {"address": "%s:%d" % self.address, **(listener or {})}
        self.account = account or {}
        self.more = more
        self.environment = {name: value for name, value in os.environ.items()
                            if not name.startswith("LANPOST_")}
        self.environment |= environment or {}
        self.config = self.folder / "lanpost.conf"
        self._read, self._events, self._rest = 0, [], ""

    def write_config(self):
        """Write the file from the sections; the password beside it."""
        account = dict(self.account)
        if "password" in account:
            secret = self.folder / "password"
            secret.write_text(account.pop("password") + "\n", "utf-8")
            secret.chmod(0o600)
            account["password_file"] = secret
        sections = {"relay": self.relay, "listener": self.listener,
                    "account": account}
        self.config.write_text("".join(
            f"[{name}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items())
            + "\n" for name, keys in sections.items() if keys) + self.more)

    def start(self, listening=True, under=()):
        self.write_config()
        self.folder.chmod(0o755)
        self._mark = len(self.events()) if self.config_started() else 0
        self.launch([*under, built("lanpost"), "-c", self.config, "serve"],
                    self.folder / "log", env=self.environment)
        if listening:
            self.wait_event("listening", since=self._mark)
        return self

    def config_started(self):
        return (self.folder / "log").exists()

    def command(self, *arguments, check=None):
        """Run another command on the same configuration."""
        done = subprocess.run(
            [built("lanpost"), "-c", self.config, *arguments],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=DEADLINE, env=self.environment)
        if check is not None and done.returncode != check:
            raise AssertionError(f"lanpost {arguments}: exit code "
                                 f"{done.returncode}, not {check}:\n"
                                 f"{done.stdout}{done.stderr}")
        return done

    @property
    def control(self):
        return self.spool / "control.sock"

    def wait_control(self):
        """Until commands find this server."""
        def answers():
            try:
                return self.ask("/healthz")[0] == 200
            except OSError:
                return self.alive() and False
        wait_until(answers, "the control socket", why=self.log_text)

    def ask(self, path, method="GET", body=None):
        """(status, JSON) of the API on the control socket."""
        connection = LocalConnection(self.control)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            text = response.read()
            return response.status, json.loads(text) if text else None
        finally:
            connection.close()

    def wait_story(self, id, **match):
        """The story of a message once it is like that: the log is told of an
        outcome before the disk has it."""
        def told():
            status, story = self.ask(f"/api/v1/messages/{id}")
            return story if status == 200 and all(
                story[key] == value for key, value in match.items()) else None
        return wait_until(told, f"message {id} {match}", why=self.log_text)

    def events(self, name=None, since=0, **match):
        """The events so far; match: values, or functions of the value."""
        with open(self.folder / "log", "rb") as log:
            log.seek(self._read)
            text = log.read()
        whole = text[:text.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode("utf-8", "replace").split("\n"):
            event = Event.parse(line)
            if event is not None:
                self._events.append(event)
        return [e for e in self._events[since:]
                if (name is None or e.name == name) and all(
                    v(e.get(k, "")) if callable(v) else e.get(k) == str(v)
                    for k, v in match.items())]

    def wait_event(self, name, since=0, count=1, **match):
        found = wait_until(
            lambda: (got if len(got := self.events(name, since, **match))
                     >= count else self._fail_if_dead(name, match)),
            f"event {name} {match}", why=self.log_text)
        return found[-1]

    def _fail_if_dead(self, name, match):
        if not self.alive() and len(self.events(name, **match)) == 0:
            raise AssertionError(f"lanpost ended with {self.process.returncode}"
                                 f" before {name} {match}:\n{self.log_text()}")

    def mark(self):
        """For since=: only what is logged from now on."""
        return len(self.events())

    def smtp(self, source=None, **options):
        """A connected smtplib client."""
        return smtplib.SMTP(*self.address, local_hostname="device.lan",
                            timeout=DEADLINE,
                            source_address=(source, 0) if source else None,
                            **options)

    def raw(self, source=None):
        """A connected RawClient, greeting read."""
        return RawClient(self.address, source)

    def send(self, message, sender="printer@lan.test",
             to=("boss@example.test",), **options):
        with self.smtp() as smtp:
            return smtp.sendmail(sender, list(to), message, **options)

    def clean(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class TestCase(unittest.TestCase):
    """start() what the test needs; all of it ends with the test."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.ca_folder = tempfile.mkdtemp(prefix="lpca")
        cls.addClassCleanup(shutil.rmtree, cls.ca_folder, True)
        os.chmod(cls.ca_folder, 0o755)
        cls.ca = TestCA(cls.ca_folder)

    def start(self, part, **options):
        self.addCleanup(self._end, part)
        part.start(**options)
        return part

    @staticmethod
    def _end(part):
        try:
            if part.alive():
                part.stop()
        finally:
            part.clean()


def main():
    unittest.main(verbosity=2)
