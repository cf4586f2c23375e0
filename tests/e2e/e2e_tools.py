"""e2e_tools -- what every part of the end-to-end tests stands on: tools that
must be there, loopback addresses, waiting, certificates, processes."""

import contextlib
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("LANPOST_BUILD", HERE.parents[1] / "build/dev"))
DEADLINE = int(os.environ.get("E2E_DEADLINE", 60))
PASSWORD = "Kopierer-7%+ =äß"       # octets that need care in base64 and INI

PACKAGES = {
    "swaks": "swaks", "curl": "curl", "msmtp": "msmtp", "node": "nodejs",
    "openssl": "openssl", "postfix": "postfix", "postconf": "postfix", "dovecot": "dovecot-core",
    "chroot": "coreutils", "dpkg-deb": "dpkg", "apt-get": "apt", "cc": "gcc",
}


def need(tool):
    """The path of a tool, or a failure that says what to install."""
    path = shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    if path is None:
        raise AssertionError(f"{tool} is missing: apt-get install "
                             f"{PACKAGES.get(tool, tool)} (tests/run does it)")
    return path


def built(name):
    """A program of the build tree."""
    path = next((p for p in (BUILD / name, BUILD / "tests" / name)
                 if p.exists()), None)
    if path is None:
        raise AssertionError(f"{name} is not in {BUILD}: build it first, or "
                             "set LANPOST_BUILD to the build folder")
    return path


def as_root():
    """Real providers and mounts want root: start the test again under sudo."""
    if os.geteuid() == 0:
        return
    os.execv(need("sudo"), ["sudo", "-n", "--preserve-env=LANPOST_BUILD,"
                            "PYTHONPATH", sys.executable, "-B", *sys.argv])


def wait_until(condition, what, seconds=DEADLINE, why=lambda: ""):
    """Wait for a condition and return its value; what: in words."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}; {why()}")
        time.sleep(0.01)
    return value


# Every test process has loopback addresses of its own, so that tests beside
# each other cannot meet on a port.
_NET = f"127.{random.randint(2, 250)}.{random.randint(1, 250)}"


def loopback(last=1):
    return f"{_NET}.{last}"


def free_port(host):
    with socket.socket() as probe:
        for _ in range(200):
            port = random.randint(10000, 30000)
            with contextlib.suppress(OSError):
                probe.bind((host, port))
                return port
    raise AssertionError(f"no free port on {host}")


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


class TestCA:
    """A certification authority for one run."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.pem = self.folder / "ca.pem"
        self._openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes",
                      "-days", "3", "-subj", "/CN=lanpost test CA",
                      "-keyout", "ca.key", "-out", "ca.pem")

    def _openssl(self, *arguments):
        subprocess.run([need("openssl"), *arguments], cwd=self.folder,
                       check=True, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def issue(self, name, names="DNS:localhost,IP:127.0.0.1", days=2,
              self_signed=False):
        """Returns the paths of a certificate and its key (RSA)."""
        cert, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        self._openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj",
                      f"/CN={name}", "-keyout", key, "-out", f"{name}.csr")
        (self.folder / f"{name}.ext").write_text(f"subjectAltName={names}\n")
        by = (["-signkey", key] if self_signed else
              ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"])
        self._openssl("x509", "-req", "-in", f"{name}.csr", *by, "-days",
                      str(days), "-extfile", f"{name}.ext", "-out", cert)
        return cert, key


class Process:
    """A program with a log file; start(), stop(), alive()."""

    GRACE = DEADLINE
    process = None

    def launch(self, command, log, **options):
        self.log_path = pathlib.Path(log)
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                [str(c) for c in command], stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, **options)

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def log_text(self):
        return self.log_path.read_text("utf-8", "replace")

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        return self.process.wait(self.GRACE)

    def stop(self):
        """SIGTERM, and the exit code."""
        if self.process is None:
            return None
        if self.alive():
            self.signal(signal.SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"no end after SIGTERM:\n{self.log_text()}")

    def kill(self):
        self.process.kill()
        self.process.wait()


class RawClient:
    """Exact bytes to a server, whole replies back."""

    def __init__(self, address, source=None):
        self.socket = socket.create_connection(
            address, DEADLINE, (source, 0) if source else None)
        self.file = self.socket.makefile("rb")
        self.greeting = self.reply()

    def send(self, data):
        self.socket.sendall(data)

    def reply(self):
        """One reply as text, or "" at the end of the connection."""
        lines = []
        with contextlib.suppress(ConnectionError):
            while line := self.file.readline():
                lines.append(line.decode("latin-1").rstrip("\r\n"))
                if line[3:4] != b"-":
                    break
        return "\n".join(lines)

    def ask(self, line):
        self.send(line.encode() + b"\r\n")
        return self.reply()

    def close(self):
        self.file.close()
        self.socket.close()
