"""bench_servers -- the relays that are compared, and the provider they relay
to.  Each is an instance of its own in a folder of its own, on loopback, with
the same job: take mail from anybody on a port, make it durable, send it on
over verified STARTTLS with a login, under the login's address."""

import os
import pathlib
import shutil
import socket
import subprocess

from bench_measure import children
from e2e_tools import Process, built, free_port, need, wait_until

USER, PASSWORD = "scanner@contoso.test", "practice-makes-perfect"
PROVIDER_NAME = "provider.bench"


class Server(Process):
    """A program in a folder, listening on a port."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.folder.chmod(0o755)
        self.address = ("127.0.0.1", free_port("127.0.0.1"))

    def root(self):
        """The process that is measured, with all below it."""
        if not self.under:
            return self.process.pid
        return wait_until(lambda: children(self.process.pid),
                          f"{type(self).__name__} to start")[0]

    def launch_server(self, command, under=()):
        self.under = under
        self.launch([*under, *command], self.folder / "log")
        wait_until(self._answers, f"{type(self).__name__} to listen",
                   why=self.log_text)

    def _answers(self):
        if not self.alive():
            raise AssertionError(f"{type(self).__name__} ended:\n"
                                 f"{self.log_text()}")
        try:
            with socket.create_connection(self.address, 5) as sock:
                return sock.recv(512).startswith(b"220")
        except OSError:
            return False

    def stop(self):
        if self.alive():
            os.kill(self.root(), 15)
        return self.wait()

    def clean(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Provider(Server):
    """The practice provider: takes all, keeps nothing, notes each message."""

    def __init__(self, folder, ca, latency=0):
        super().__init__(folder)
        self.ca, self.latency = ca, latency
        self.journal = self.folder / "journal"
        self.cert, self.key = ca.issue(
            "provider", f"DNS:{PROVIDER_NAME},DNS:localhost,IP:127.0.0.1")

    def start(self):
        self.launch_server(
            [built("practice-provider"), "--listen", self.address[0],
             "--port", self.address[1], "--cert", self.cert,
             "--key", self.key, "--user", USER, "--password", PASSWORD,
             "--discard", "--quiet", "--journal", self.journal,
             "--latency", self.latency])
        return self


class Relay(Server):
    """connections: to the provider, at a time."""

    title = ""

    def __init__(self, folder, provider, connections=20):
        super().__init__(folder)
        self.provider, self.connections = provider, connections


class Lanpost(Relay):
    """As it comes, but for the caps on connections: clients and provider are
    one address each here."""

    title = "lanpost"
    pipelining = "yes"

    CONFIG = """
[relay]
hostname = relay.bench
spool = {folder}/spool
[listener]
address = {address[0]}:{address[1]}
max_connections = 8000
max_connections_per_client = 8000
[account]
host = 127.0.0.1
port = {provider.address[1]}
tls_ca_file = {provider.ca.pem}
username = {user}
password_file = {folder}/password
connections = {connections}
messages_per_connection = 1000000
pipelining = {pipelining}
"""

    def start(self, under=()):
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o600)
        config = self.folder / "lanpost.conf"
        config.write_text(self.CONFIG.format(
            user=USER, pipelining=self.pipelining, **vars(self)))
        self.launch_server([built("lanpost"), "-c", config, "serve"], under)
        return self


class EagerLanpost(Lanpost):
    """The next envelope behind the final dot."""

    pipelining = "eager"


class Postfix(Relay):
    """Tuned: connections to the provider are kept, under TLS too, from the
    first message on; arrivals are not slowed down for the queue's sake."""

    title = "postfix"

    MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = relay.bench
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps =
message_size_limit = 60000000
mailbox_size_limit = 0
relayhost = [127.0.0.1]:{provider.address[1]}
sender_canonical_maps = static:{user}
sender_canonical_classes = envelope_sender, header_sender
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = inline:{{ {{ [127.0.0.1]:{provider.address[1]} = {user}:{password} }} }}
smtp_sasl_security_options = noanonymous
smtp_tls_security_level = secure
smtp_tls_secure_cert_match = {name}
smtp_tls_CAfile = {provider.ca.pem}
smtp_destination_concurrency_limit = {connections}
"""
    TUNED = """
initial_destination_concurrency = {connections}
smtp_tls_connection_reuse = yes
smtp_tls_session_cache_database = btree:{folder}/data/smtp_scache
smtp_connection_cache_on_demand = yes
smtp_connection_cache_destinations = [127.0.0.1]:{provider.address[1]}
in_flow_delay = 0
"""
    SERVICES = """
127.0.0.1:{address[1]} inet n - n - - smtpd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
tlsproxy  unix - - n - 0 tlsproxy
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
proxymap  unix - - n - - proxymap
smtp      unix - - n - - smtp
relay     unix - - n - - smtp
error     unix - - n - - error
retry     unix - - n - - error
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""

    def start(self, under=()):
        etc = self.folder / "etc"
        for path in (etc, self.folder / "queue", self.folder / "data"):
            path.mkdir()
        for name, text in (("main.cf", self.MAIN + self.TUNED),
                           ("master.cf", self.SERVICES)):
            (etc / name).write_text(text.format(
                user=USER, password=PASSWORD, name=PROVIDER_NAME,
                **vars(self)))
        shutil.chown(self.folder / "data", "postfix")
        done = subprocess.run([need("postfix"), "-c", etc, "check"],
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(f"postfix check:\n{done.stderr}")
        daemons = subprocess.run(
            [need("postconf"), "-c", etc, "-h", "daemon_directory"],
            check=True, capture_output=True, text=True).stdout.strip()
        self.launch_server([f"{daemons}/master", "-d", "-c", etc], under)
        return self

    def log_text(self):
        maillog = self.folder / "maillog"
        return super().log_text() + (
            maillog.read_text("utf-8", "replace") if maillog.exists() else "")


class DefaultPostfix(Postfix):
    """As it comes, but for the job."""

    title = "postfix as it comes"
    TUNED = ""


RELAYS = {"lanpost": Lanpost, "postfix": Postfix,
          "postfix-default": DefaultPostfix}
