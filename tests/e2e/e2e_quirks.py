"""e2e_quirks -- what a device says, in a file, and how to say it again.

A file of quirks/ begins with keys, one a line, and ends with the dialogue:

    quirk: Q17
    title: a space between the colon and the address
    who: airline, game and bank systems
    policy: A              accept, R accept and repair, X refuse
    does: ...              what lanpost does, for the table
    listener: plain        one of LISTENERS
    device: charset = x    a line of its [device] section; may be repeated
    rule: account = seven  a line of its [rule] section; may be repeated
    waits: yes             the device reads each reply before it goes on
    cuts: no               no cuts, only polite, whole and octet by octet;
                           all: in the lines that most dialogues have, too
    repaired: text; text   what the `repaired` line names besides the usual
                           additions; `none`, or `any`
    log: event key~regex   a line that must be there; may be repeated
    quiet: yes             nothing about the client above level debug
    secret: text           must not be in the log, plain or in base64
    message:               what arrives; a dialogue may have several
      to: a@b c@d          the recipients at the provider
      sender: a@b          the reverse-path there
      field: Name: regex   the only field of that name; may be repeated
      none: Name           no such field
      body: text           exactly
      body~ regex
    dialogue:

and a line of the dialogue is one of

    C: text        sent, with CRLF
    c: text        sent as it is
    S: 250 text    a reply, which must begin so; several lines are one reply
    S: 250 ~regex  and the whole of it, lines joined with \\n, must match
    S?: 421        a reply that may come
    1: 250         a reply that must come in one segment
    S: eof         the server closes
    P:             replies are awaited here, whatever `waits` says
    TLS: profile   a handshake: modern, tls1.0, rsa, bare
    TLS?: profile  one that must fail
    X: close, half or reset

Texts know \\r \\n \\t \\0 \\\\ \\xHH, {token} (a word of its own for each
connection) and {text*N} (repeated).  `S*3:` stands for three such lines.
"""

import re
import socket
import ssl
import struct

from e2e_tools import DEADLINE

ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|.)")
REPEAT = re.compile(r"\{([^{}]+)\*(\d+)\}")
SIMPLE = {"r": "\r", "n": "\n", "t": "\t", "0": "\0"}
LONG = 2048             # octets of a dialogue that are cut everywhere
USUAL_LINES = {b"EHLO d.lan", b"HELO d.lan", b"MAIL FROM:<p@lan.test>",
               b"RCPT TO:<b@example.test>", b"DATA", b"STARTTLS", b"QUIT",
               b"NOOP", b"RSET"}


def octets(text):
    """The octets a text of a file stands for; what is not ASCII is UTF-8."""
    text = REPEAT.sub(lambda m: m[1] * int(m[2]), text)
    out = bytearray()
    end = 0
    for match in ESCAPE.finditer(text):
        out += text[end:match.start()].encode()
        code = match[1]
        out += (bytes([int(code[1:], 16)]) if len(code) > 1
                else SIMPLE.get(code, code).encode())
        end = match.end()
    return bytes(out + text[end:].encode())


class Message:
    """What is to arrive at the provider."""

    def __init__(self):
        self.to, self.sender, self.body, self.body_like = None, None, None, []
        self.fields, self.absent = [], []

    def learn(self, key, value):
        if key == "to":
            self.to = value.split()
        elif key == "field":
            name, _, pattern = value.partition(":")
            self.fields.append((name, pattern.strip()))
        elif key == "none":
            self.absent.append(value)
        elif key == "body":
            self.body = octets(value)
        elif key == "sender":
            self.sender = value
        else:
            raise ValueError(f"unknown key of a message: {key}")


class Step:
    def __init__(self, kind, text):
        self.kind, self.text = kind, text
        self.maybe = kind.endswith("?")
        self.kind = kind.rstrip("?")
        if self.kind in "Cc":
            self.octets = octets(text) + (b"\r\n" if kind == "C" else b"")
        elif self.kind in ("S", "1"):
            self.start, tilde, self.pattern = text.partition("~")
            self.start = self.start.rstrip() if tilde else text

    def agrees(self, reply):
        if self.text == "eof":
            return reply == ""
        start = reply[:3] + " " + reply[4:] if reply else ""
        return bool(start.startswith(self.start) and
                    (not self.pattern or re.search(self.pattern, reply, re.S)))


class Quirk:
    KEYS = ("quirk", "title", "who", "policy", "does", "listener", "waits",
            "cuts", "repaired", "quiet")

    def __init__(self, path):
        self.name = path.stem
        self.quirk = self.title = self.who = self.policy = self.does = ""
        self.listener, self.waits, self.cuts = "plain", "no", "yes"
        self.repaired, self.quiet = "none", "no"
        self.device, self.rule, self.log, self.secret = [], [], [], []
        self.messages, self.steps = [], []
        lines = iter(path.read_text("utf-8").split("\n"))
        for line in lines:
            if line == "dialogue:":
                break
            self.learn(line)
        for line in lines:
            if line and not line.startswith("#"):
                self.add_step(line)

    def learn(self, line):
        if not line.strip() or line.startswith("#"):
            return
        body_like = re.match(r"\s+body~ (.*)", line)
        if body_like:
            self.messages[-1].body_like.append(body_like[1])
            return
        key, _, value = line.partition(":")
        key, value = key.strip(), value.strip()
        if line.startswith(" "):
            self.messages[-1].learn(key, value)
        elif key == "message":
            self.messages.append(Message())
        elif key in ("device", "rule", "log", "secret"):
            getattr(self, key).append(value)
        elif key in self.KEYS:
            setattr(self, key, value)
        else:
            raise ValueError(f"{self.name}: unknown key {key}")

    def add_step(self, line):
        match = re.fullmatch(r"([A-Za-z1]+\??)(?:\*(\d+))?:(?: (.*))?", line)
        if not match:
            raise ValueError(f"{self.name}: what is {line!r}?")
        for _ in range(int(match[2] or 1)):
            self.steps.append(Step(match[1], match[3] or ""))

    def bursts(self, polite=False):
        """[(what is sent in one go, steps that follow)]"""
        bursts, data, after = [], b"", []
        for step in self.steps:
            waiting = polite or self.waits == "yes"
            if step.kind in "Cc":
                barrier = after and (waiting or after[-1].kind in ("P", "TLS")
                                     or not bursts and not data)
                if barrier:
                    bursts.append((data, after))
                    data, after = b"", []
                data += step.octets
            else:
                after.append(step)
        return bursts + [(data, after)]

    def positions(self):
        """Where a burst is cut in two: [(burst, octets before the cut)]"""
        if self.cuts == "no":
            return
        for number, (data, _) in enumerate(self.bursts()):
            for at in range(1, len(data)):
                if b"\n" in data[at - 2:at + 2] or (
                        at < LONG and not self.is_usual(data, at)):
                    yield number, at

    def is_usual(self, data, at):
        """Inside a line that many dialogues have?  It is cut in some.  Or in a
        long one?  It is cut here and there."""
        line = data[data.rfind(b"\n", 0, at) + 1:].partition(b"\r\n")[0]
        return (line in USUAL_LINES and self.cuts != "all"
                or len(line) > 200 and at % 50 != 0)

    def length(self):
        return sum(len(data) for data, _ in self.bursts())


class Client:
    """One connection of a device.  settle() returns once the server has read
    what was sent, so that what comes next is a segment of its own."""

    def __init__(self, address, source, settle):
        self.socket = socket.create_connection(address, DEADLINE, (source, 0))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.settle = settle
        self.tls, self.unread, self.gone = None, b"", False
        self.single, self.next_reply = False, None

    def wire(self, data):
        try:
            if not self.single:
                self.socket.sendall(data)
                return
            for octet in data:
                self.socket.sendall(bytes([octet]))
                self.settle()
        except OSError:
            self.gone = True    # its last words are still to be read

    def send(self, data):
        if self.tls:
            if self.single:
                for octet in data:
                    self.tls.write(bytes([octet]))
                    self.wire(self.outgoing.read())
                return
            self.tls.write(data)
            data = self.outgoing.read()
        self.wire(data)

    def receive(self):
        """Some octets; none at the end."""
        while True:
            if self.tls:
                try:
                    return self.tls.read(65536)
                except ssl.SSLWantReadError:
                    pass
                except ssl.SSLError:
                    return b""
            try:
                got = self.socket.recv(65536)
            except ConnectionError:
                return b""
            if not self.tls or not got:
                return got
            self.incoming.write(got)

    def reply(self):
        """One reply, its lines joined; "" at the end of the connection."""
        if self.next_reply is not None:
            reply, self.next_reply = self.next_reply, None
            return reply
        while True:
            match = re.match(rb"(?:[^\n]{3}-[^\n]*\n)*[^\n]*\n", self.unread)
            if match and not re.search(rb"(?:^|\n)[^\n]{3}-[^\n]*\n\Z",
                                       match[0]):
                self.unread = self.unread[match.end():]
                return match[0].decode("latin-1").replace("\r\n", "\n").strip("\n")
            got = self.receive()
            if not got:
                rest, self.unread = self.unread, b""
                return rest.decode("latin-1")
            self.unread += got

    def handshake(self, profile):
        """Returns whether it went well."""
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = CONTEXTS[profile].wrap_bio(
            self.incoming, self.outgoing,
            server_hostname="relay.test" if profile == "modern" else None)
        self.incoming.write(self.unread)
        self.unread = b""
        while True:
            try:
                tls.do_handshake()
                done = True
            except ssl.SSLWantReadError:
                done = False
            except ssl.SSLError:
                self.wire(self.outgoing.read())
                return False
            self.wire(self.outgoing.read())
            if done:
                self.tls = tls
                return True
            try:
                got = self.socket.recv(65536)
            except ConnectionError:
                return False
            if not got:
                return False
            self.incoming.write(got)

    def end(self, how):
        if how == "half":
            self.socket.shutdown(socket.SHUT_WR)
        elif how == "reset":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   struct.pack("ii", 1, 0))
        if how != "half":
            self.socket.close()


def _context(low, high, ciphers=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if ciphers:
        context.set_ciphers(ciphers)
    context.minimum_version, context.maximum_version = low, high
    return context


V = ssl.TLSVersion
CONTEXTS = {
    "modern": _context(V.TLSv1_2, V.TLSv1_3),
    "bare": _context(V.TLSv1_2, V.TLSv1_2),
    "tls1.0": _context(V.TLSv1, V.TLSv1, "ALL:@SECLEVEL=0"),
    "rsa": _context(V.TLSv1_2, V.TLSv1_2, "AES256-SHA:AES128-SHA:@SECLEVEL=0"),
}


class Replay:
    """A dialogue said once.  complaint: what was not as the file has it."""

    def __init__(self, quirk, mode, token, cut=None):
        self.quirk, self.mode, self.token, self.cut = quirk, mode, token, cut
        self.replies, self.complaint = [], None

    def __str__(self):
        where = f" {self.cut}" if self.cut else ""
        return f"{self.quirk.name} {self.mode}{where}"

    def run(self, address, source, settle):
        client = Client(address, source, settle)
        client.single = self.mode == "octets"
        try:
            for number, (data, after) in enumerate(
                    self.quirk.bursts(self.mode == "polite")):
                self.say(client, data.replace(b"{token}", self.token.encode()),
                         self.cut[1] if self.cut and self.cut[0] == number
                         else 0)
                for step in after:
                    if not self.follow(client, step):
                        return
        except TimeoutError:
            self.complaint = f"no answer after {self.replies}"
        finally:
            client.socket.close()

    def say(self, client, data, cut):
        if cut:
            client.send(data[:cut])
            client.settle()
        if data[cut:] and not client.gone:
            client.send(data[cut:])

    def follow(self, client, step):
        """Carry out what is not sending; False: this is the end of it."""
        if step.kind == "X":
            client.end(step.text)
            return step.text == "half"
        if step.kind == "TLS":
            if client.handshake(step.text) == step.maybe:
                self.complaint = (f"TLS {step.text} went well" if step.maybe
                                  else f"no TLS {step.text}")
                return False
        elif step.kind == "1" and self.mode == "polite":
            got = client.receive()
            client.unread += got
            reply = client.reply()
            if client.unread or len(reply) + 2 + reply.count("\n") != len(got):
                self.complaint = f"not one segment: {got} {reply!r}"
            return self.expect(step, reply)
        elif step.kind in ("S", "1"):
            reply = client.reply()
            if step.maybe and not step.agrees(reply):
                client.next_reply = reply
                return True
            return self.expect(step, reply)
        return True

    def expect(self, step, reply):
        self.replies.append(reply)
        if not step.agrees(reply):
            self.complaint = (f"wanted {step.text!r}, got {reply!r} after "
                              f"{self.replies[:-1]}")
            return False
        return True


class Settler:
    """A connection beside: two rounds of it, and the server's loop has seen
    to everything that was there before."""

    def __init__(self, address, source):
        self.address, self.source, self.rounds = address, source, 0
        self.socket = None

    def __call__(self):
        if self.socket is None or self.rounds >= 80:
            if self.socket:
                self.socket.close()
            self.socket = socket.create_connection(
                self.address, DEADLINE, (self.source, 0))
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.recv(4096)
            self.rounds = 0
        for _ in range(2):
            self.socket.sendall(b"NOOP\r\n")
            reply = self.socket.recv(4096)
            if not reply.startswith(b"250"):
                self.socket = None
                raise AssertionError(f"{reply} to NOOP")
            self.rounds += 1
