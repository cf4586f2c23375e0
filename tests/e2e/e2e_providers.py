"""e2e_providers -- mail providers to send through, each its own instance on
loopback: Postfix with Dovecot's logins, OpenSMTPD, the practice provider.

provider.account() is the [account] that sends through it; arrived() is what
it has taken.  Postfix and OpenSMTPD want root (as_root() in e2e_tools).
"""

import email.utils
import json
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import tempfile

from e2e_tools import (BUILD, PASSWORD, Process, built, free_port, need,
                       wait_until)

USER = "scanner@contoso.test"


class Arrived:
    """A message as the provider got it, its own trace fields taken off."""

    OWN = (b"return-path", b"delivered-to", b"x-original-to")

    def __init__(self, raw, sender=None, recipients=None):
        self.raw = raw
        self.sender, self.recipients = sender, recipients
        head, self.blank, self.body = raw.partition(b"\r\n\r\n")
        self.fields = unfold(head)

    @classmethod
    def from_maildir(cls, path):
        """A mailbox server ends lines with LF and puts its trace on top."""
        message = cls(path.read_bytes().replace(b"\n", b"\r\n"))
        own = {}
        while message.fields[0][0].lower() in cls.OWN:
            name, value = message.fields.pop(0)
            own[name.lower()] = value.strip().strip(b"<>").decode()
        message.fields.pop(0)  # the provider's own Received
        message.sender = own[b"return-path"]
        message.recipients = [own.get(b"x-original-to", own[b"delivered-to"])]
        return message

    def get(self, name):
        """The values of a field as text, unfolded."""
        return [value.replace(b"\r\n", b"").strip().decode("utf-8", "replace")
                for key, value in self.fields
                if key.lower() == name.lower().encode()]

    def address(self, name):
        return [email.utils.parseaddr(v)[1] for v in self.get(name)]


def unfold(head):
    """[(name, value with its folds)] of a header section."""
    fields = []
    for line in head.split(b"\r\n"):
        if line[:1] in b" \t" and fields:
            fields[-1] = (fields[-1][0], fields[-1][1] + b"\r\n" + line)
        else:
            name, _, value = line.partition(b":")
            fields.append((name, value))
    return fields


class Provider(Process):
    """What all providers share: an account, a certificate, a folder."""

    host = "localhost"

    def __init__(self, ca, user=USER, password=PASSWORD):
        self.ca, self.user, self.password = ca, user, password
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lpp"))
        self.folder.chmod(0o755)
        self.cert, self.key = ca.issue("provider")
        self.port = free_port("127.0.0.1")

    def account(self, **more):
        keys = {"host": self.host, "port": self.port, "tls": "starttls",
                "tls_ca_file": self.ca.pem, "username": self.user,
                "password": self.password, **more}
        return {key: value for key, value in keys.items() if value is not None}

    def wait_arrived(self, count=1):
        return wait_until(
            lambda: (got if len(got := self.arrived()) >= count else None),
            f"{count} messages at the provider",
            why=lambda: f"{len(self.arrived())} came\n{self.log_text()}")

    def wait_copies(self, before, to):
        """The messages after the first `before`, once all of to have one."""
        def complete():
            new = self.arrived()[before:]
            have = sorted(one for message in new for one in message.recipients)
            return new if have == sorted(to) else None
        return wait_until(complete, f"mail for {to}", why=self.log_text)

    def wait_port(self):
        def answers():
            if not self.alive():
                raise AssertionError(f"{type(self).__name__} ended:\n"
                                     f"{self.log_text()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
                return True
            except OSError:
                return False
        wait_until(answers, f"{type(self).__name__} to listen",
                   why=self.log_text)

    def clean(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class PracticeProvider(Provider):
    """tests/provider: takes what it is told to, says what it is told to.

    script: rules as in tests/provider/README.md.  The other options are those
    of its command line, latency=20 for --latency 20."""

    def __init__(self, ca, script="", **options):
        super().__init__(ca)
        self.options = {"dir": self.folder / "mail", "cert": self.cert,
                        "key": self.key, "user": self.user,
                        "password": self.password, "port": self.port,
                        "port-file": self.folder / "port",
                        "journal": self.folder / "journal", **options}
        (self.folder / "mail").mkdir()
        self.script = script

    def start(self):
        (self.folder / "script").write_text(self.script)
        command = [built("practice-provider"), "--script",
                   self.folder / "script"]
        for name, value in self.options.items():
            command += [f"--{name}"] + ([] if value is True else [value])
        (self.folder / "port").unlink(missing_ok=True)
        self.launch(command, self.folder / "log")
        wait_until(lambda: (self.folder / "port").exists() or not self.alive(),
                   "the practice provider", why=self.log_text)
        if not self.alive():
            raise AssertionError(self.log_text())

    def behave(self, script=""):
        """End, and come back with another script; mail stays."""
        self.stop()
        self.script = script
        self.start()

    def arrived(self):
        return [Arrived(path.read_bytes(), **self.envelope(path))
                for path in sorted((self.folder / "mail/new").glob("*.eml"))]

    @staticmethod
    def envelope(path):
        said = json.loads(path.with_suffix(".json").read_text("utf-8"))
        return {"sender": said["from"], "recipients": said["recipients"]}

    def journal(self):
        """(Message-ID, X-Token, sender, recipients, octets) of what was
        taken, in this order."""
        path = self.options["journal"]
        text = path.read_text("utf-8") if path.exists() else ""
        return [line.split("\t") for line in text.splitlines()]


class Maildir:
    """Mixin: all mail lies in one maildir."""

    def arrived(self):
        new = self.maildir / "new"
        if not new.exists():
            return []
        files = sorted(new.iterdir(), key=lambda p: p.stat().st_mtime_ns)
        return [Arrived.from_maildir(path) for path in files]


class PostfixProvider(Maildir, Provider):
    """Postfix on a high port; STARTTLS, logins from Dovecot over a socket.

    Takes mail for everybody from those who log in, but only with the login's
    own sender, as Microsoft 365 does; gone@example.test is unknown.
    """

    MAIN = """
compatibility_level = 3.6
queue_directory = {0}/queue
data_directory = {0}/data
maillog_file = {0}/maillog
maillog_file_prefixes = {0}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = provider.test
mynetworks =
mydestination =
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = static:all
virtual_mailbox_maps = static:inbox/
virtual_mailbox_base = {0}/mail
virtual_mailbox_limit = 0
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
message_size_limit = 60000000
smtpd_tls_cert_file = {cert}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = encrypt
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {0}/dovecot/run/auth
smtpd_sender_login_maps = inline:{{ {{ {user} = {user} }} }}
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_sender_restrictions = reject_sender_login_mismatch
smtpd_recipient_restrictions = check_recipient_access inline:{{ {{ gone@example.test = 550 5.1.1 User unknown }} }}
"""
    SERVICES = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup  unix n - n - 0 cleanup
qmgr     unix n - n 300 1 qmgr
rewrite  unix - - n - - trivial-rewrite
bounce   unix - - n - 0 bounce
defer    unix - - n - 0 bounce
proxymap unix - - n - - proxymap
retry    unix - - n - - error
error    unix - - n - - error
virtual  unix - n n - - virtual
anvil    unix - - n - 1 anvil
tlsmgr   unix - - n 1000? 1 tlsmgr
postlog  unix-dgram n - n - 1 postlogd
"""
    DOVECOT = """
base_dir = {0}/dovecot/run
state_dir = {0}/dovecot/run
log_path = {0}/dovecot/log
instance_name = lanpost-e2e
protocols =
ssl = no
auth_mechanisms = plain login
disable_plaintext_auth = no
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {0}/dovecot/users
}}
service auth {{
  unix_listener auth {{
    mode = 0666
  }}
}}
"""

    def start(self):
        postfix, dovecot = need("postfix"), need("dovecot")
        owner = pwd.getpwnam("nobody")
        values = {"cert": self.cert, "key": self.key, "user": self.user,
                  "uid": owner.pw_uid, "gid": owner.pw_gid, "port": self.port}
        for name in ("etc", "queue", "data", "mail", "dovecot"):
            (self.folder / name).mkdir()
        for name, text in (("etc/main.cf", self.MAIN),
                           ("etc/master.cf", self.SERVICES),
                           ("dovecot/dovecot.conf", self.DOVECOT)):
            (self.folder / name).write_text(text.format(self.folder, **values))
        (self.folder / "dovecot/users").write_text(
            f"{self.user}:{{PLAIN}}{self.password}\n", "utf-8")
        self.maildir = self.folder / "mail/inbox"
        os.chown(self.folder / "mail", owner.pw_uid, owner.pw_gid)
        shutil.chown(self.folder / "data", "postfix")
        etc = self.folder / "etc"
        subprocess.run([postfix, "-c", etc, "check"], check=True)
        self.dovecot = Process()
        self.dovecot.launch([dovecot, "-F", "-c",
                             self.folder / "dovecot/dovecot.conf"],
                            self.folder / "dovecot/output")
        wait_until((self.folder / "dovecot/run/auth").exists,
                   "Dovecot's socket", why=self.dovecot.log_text)
        daemons = subprocess.run(
            [need("postconf"), "-c", etc, "-h", "daemon_directory"],
            check=True, capture_output=True, text=True).stdout.strip()
        self.launch([f"{daemons}/master", "-d", "-c", etc],
                    self.folder / "maillog")
        self.wait_port()

    def stop(self):
        self.dovecot.stop()
        super().stop()


class OpenSmtpdProvider(Maildir, Provider):
    """OpenSMTPD with STARTTLS and AUTH; it offers no PIPELINING.

    Its Debian package conflicts with Postfix's and wants fixed users and
    paths, so it is unpacked into a root of its own with the libraries it
    needs, and runs there under chroot: nothing of the machine is touched.
    """

    CONFIG = """
pki provider cert "/etc/provider.pem"
pki provider key "/etc/provider.key"
table users {{ "{user}" = "{hash}" }}
table everybody {{ "@" = "sink" }}
listen on 127.0.0.1 port {port} tls-require pki provider auth <users> hostname provider.test
action deliver maildir "/mail" virtual <everybody>
match auth from any for any action deliver
"""
    USERS = ("root:0:/", "opensmtpd:901:/var/lib/opensmtpd/empty",
             "opensmtpq:902:/var/lib/opensmtpd/empty", "sink:903:/mail")

    def start(self):
        self.root = self.folder / "root"
        self.maildir = self.root / "mail"
        self.unpack()
        self.configure()
        self.launch([need("chroot"), self.root, "/usr/bin/env.sh"],
                    self.folder / "log")
        self.wait_port()

    def unpack(self):
        packages = self.package_folder()
        subprocess.run([need("dpkg-deb"), "-x", next(
            packages.glob("opensmtpd_*.deb")), self.root], check=True)
        for folder in ("usr/bin", "usr/lib", "bin", "dev", "run", "tmp",
                       "etc", "mail", "var/lib/opensmtpd/empty",
                       "var/spool/smtpd"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        (self.root / "var/run").symlink_to("/run")
        (self.root / "var/spool/smtpd").chmod(0o711)
        (self.root / "tmp").chmod(0o1777)
        os.mknod(self.root / "dev/null", 0o20666, os.makedev(1, 3))
        (self.root / "dev/null").chmod(0o666)
        shutil.copy2("/bin/sh", self.root / "bin/sh")
        shim = self.root / "usr/lib/opensmtpd_key.so"
        subprocess.run([need("cc"), "-D_GNU_SOURCE", "-shared", "-fPIC",
                        "-Wno-pedantic", "-o", shim, pathlib.Path(
                            __file__).with_name("opensmtpd_key.c")],
                       check=True)
        for program in ("usr/sbin/smtpd", "bin/sh", "usr/lib/opensmtpd_key.so",
                        "usr/libexec/opensmtpd/mail.maildir"):
            self.copy_libraries(self.root / program)

    @staticmethod
    def package_folder():
        """The package, fetched once by apt and kept in the cache folder."""
        cache = BUILD / "e2e-cache"
        cache.mkdir(parents=True, exist_ok=True)
        if "SUDO_UID" in os.environ:   # leave the user's tree the user's
            os.chown(cache, int(os.environ["SUDO_UID"]), -1)
        if not list(cache.glob("opensmtpd_*.deb")):
            with tempfile.TemporaryDirectory(dir=cache) as fetch:
                subprocess.run(
                    [need("apt-get"), "-qq", "-o", "APT::Sandbox::User=root",
                     "download", "opensmtpd"], cwd=fetch, check=True)
                package = next(pathlib.Path(fetch).glob("*.deb"))
                package.rename(cache / package.name)
        return cache

    def copy_libraries(self, program):
        listed = subprocess.run(["ldd", program], check=True, text=True,
                                capture_output=True).stdout
        missing = [line.split()[0] for line in listed.splitlines()
                   if "not found" in line]
        if missing:
            raise AssertionError(f"OpenSMTPD lacks {missing}: apt-get install "
                                 "libevent-2.1-7 libdb5.3 (tests/run does it)")
        for path in (word for word in listed.split() if word[0] == "/"):
            target = self.root / path[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)

    def configure(self):
        etc = self.root / "etc"
        hashed = subprocess.run(
            [need("openssl"), "passwd", "-6", "-stdin"], check=True, text=True,
            input=self.password + "\n", capture_output=True).stdout.strip()
        (etc / "smtpd.conf").write_text(self.CONFIG.format(
            user=self.user, hash=hashed, port=self.port))
        users = [line.split(":") for line in self.USERS]
        (etc / "passwd").write_text("".join(
            f"{name}:x:{uid}:{uid}::{home}:/bin/sh\n"
            for name, uid, home in users))
        (etc / "group").write_text("".join(
            f"{name}:x:{uid}:\n" for name, uid, _ in users))
        shutil.copy2(self.cert, etc / "provider.pem")
        shutil.copy2(self.key, etc / "provider.key")
        for name in ("provider.pem", "provider.key"):
            os.chown(etc / name, 0, 0)
            (etc / name).chmod(0o600)
        os.chown(self.root / "mail", 903, 903)
        start = self.root / "usr/bin/env.sh"
        start.write_text("#!/bin/sh\nLD_PRELOAD=/usr/lib/opensmtpd_key.so "
                         "exec /usr/sbin/smtpd -d\n")
        start.chmod(0o755)
