"""Credentials leave only over verified TLS to the configured host.  A trap
plays the provider and writes down all it hears; whatever is wrong with its
TLS, it hears no login, and the message stays in the queue."""

import base64
import socket
import ssl
import threading

from e2e_devices import scan
from e2e_providers import Provider
from lanpost_e2e import Lanpost, TestCase, main


class Trap(Provider):
    """An SMTP server that tempts: it offers logins everywhere.

    offer: STARTTLS is in EHLO's reply; answer: to STARTTLS; extra: bytes in
    the clear behind that answer."""

    def __init__(self, ca, pair=None, offer=True, answer=b"220 go ahead\r\n",
                 extra=b"", implicit=False):
        super().__init__(ca)
        self.pair = pair or (self.cert, self.key)
        self.offer, self.answer, self.extra = offer, answer, extra
        self.implicit = implicit
        self.heard, self.connections = bytearray(), 0

    def start(self):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*self.pair)
        self.listening = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                peer, _ = self.listening.accept()
            except OSError:
                return
            self.connections += 1
            try:
                with peer:
                    self.serve(self.secure(peer) if self.implicit else peer)
            except OSError:
                pass

    def secure(self, peer):
        return self.context.wrap_socket(peer, server_side=True)

    def serve(self, peer):
        file = peer.makefile("rb")
        peer.sendall(b"220 trap ESMTP\r\n")
        tls = self.implicit
        while line := file.readline():
            self.heard += line
            verb = line[:4].upper()
            if verb == b"EHLO":
                starttls = b"250-STARTTLS\r\n" if self.offer and not tls else b""
                peer.sendall(b"250-trap\r\n" + starttls +
                             b"250-PIPELINING\r\n250 AUTH PLAIN LOGIN\r\n")
            elif verb == b"STAR":
                peer.sendall(self.answer + self.extra)
                if self.answer[:3] == b"220":
                    peer = self.secure(peer)
                    file = peer.makefile("rb")
                    tls = True
            elif verb == b"AUTH":
                peer.sendall(b"334 VXNlcm5hbWU6\r\n" if line[5:10] == b"LOGIN"
                             else b"235 2.7.0 thank you\r\n")
            elif verb == b"QUIT":
                peer.sendall(b"221 bye\r\n")
                return
            else:
                peer.sendall(b"334 UGFzc3dvcmQ6\r\n")

    def alive(self):
        return self.listening.fileno() >= 0

    def stop(self):
        self.listening.close()

    def arrived(self):
        return []

    def log_text(self):
        return repr(bytes(self.heard))


class Tls(TestCase):
    def story(self, reason, trap, **account):
        """Returns the log line that says what is wrong."""
        trap = self.start(trap)
        lanpost = self.start(Lanpost(account=trap.account(**account)))
        lanpost.send(scan("stays-here"))
        accepted = lanpost.wait_event("accepted")
        said = lanpost.wait_event("deferred", id=accepted["id"])
        self.assertGreater(trap.connections, 0)
        for secret in (b"AUTH", b"MAIL", trap.user.encode(),
                       trap.password.encode(),
                       base64.b64encode(trap.password.encode()),
                       base64.b64encode(trap.user.encode())):
            self.assertNotIn(secret, bytes(trap.heard))
        self.assertIn(accepted["id"], lanpost.command("queue").stdout)
        self.assertEqual(said["reason"], reason, said.line)
        for key in ("explanation", "fix"):
            self.assertTrue(said.get(key), said.line)
        return said

    def test_certificates(self):
        other = self.ca.issue("other", "DNS:mail.other.test")
        expired = self.ca.issue("expired", days=-1)
        own = self.ca.issue("own", self_signed=True)
        for reason, pair, more in (
                ("tls-hostname-mismatch", other, {}),
                ("tls-cert-expired", expired, {}),
                ("tls-self-signed", own, {}),
                ("tls-unknown-ca", None, {"tls_ca_file": None}),
                ("tls-fingerprint-mismatch", None,
                 {"tls_fingerprint": "ab" * 32})):
            for implicit in (False, True):
                with self.subTest(reason=reason, implicit=implicit):
                    trap = Trap(self.ca, pair, implicit=implicit)
                    account = {"tls": "implicit" if implicit else "starttls",
                               **more}
                    self.story(reason, trap, **account)

    def test_starttls_stripped(self):
        self.story("starttls-not-offered", Trap(self.ca, offer=False))

    def test_starttls_refused(self):
        for answer, reason in ((b"454 4.7.0 not now\r\n", "provider-busy"),
                               (b"502 5.5.1 no such verb\r\n",
                                "provider-refuses")):
            with self.subTest(answer=answer):
                self.story(reason, Trap(self.ca, answer=answer))

    def test_words_in_the_clear_behind_starttls(self):
        """CVE-2011-0411, the other way round."""
        for extra in (b"250-trap\r\n250 AUTH PLAIN\r\n",
                      b"250-trap\r\n250 AUTH PLAIN\r\n235 2.7.0 ok\r\n"):
            with self.subTest(extra=extra):
                self.story("starttls-injection", Trap(self.ca, extra=extra))

    def test_plain_server_on_an_implicit_port(self):
        self.story("tls-wrong-mode", Trap(self.ca), tls="implicit")


if __name__ == "__main__":
    main()
