"""A queue that an older lanpost left is brought up to date and delivered."""

import sqlite3
import time
import zlib

from e2e_devices import scan
from e2e_providers import PracticeProvider
from lanpost_e2e import Lanpost, TestCase, main

# Version 1, as it was released; never changed.
VERSION_1 = """
PRAGMA journal_mode = WAL;
CREATE TABLE message (id INTEGER PRIMARY KEY, state INTEGER NOT NULL,
 body INTEGER NOT NULL, client TEXT, listener TEXT, helo TEXT,
 reverse_path TEXT NOT NULL, header_from TEXT, subject TEXT, header_id TEXT,
 account TEXT, received_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,
 next_attempt_ms INTEGER NOT NULL, finished_ms INTEGER NOT NULL,
 attempts INTEGER NOT NULL, reason TEXT, size INTEGER NOT NULL,
 header_size INTEGER NOT NULL, checksum INTEGER NOT NULL,
 has_8bit INTEGER NOT NULL) STRICT;
CREATE TABLE recipient (message INTEGER NOT NULL, n INTEGER NOT NULL,
 address TEXT NOT NULL, state INTEGER NOT NULL, reply TEXT,
 PRIMARY KEY (message, n)) STRICT, WITHOUT ROWID;
CREATE TABLE body (message INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE attempt (message INTEGER NOT NULL, n INTEGER NOT NULL,
 started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL, account TEXT,
 host TEXT, stage TEXT, reply TEXT, PRIMARY KEY (message, n)) STRICT,
 WITHOUT ROWID;
CREATE INDEX message_due ON message (next_attempt_ms) WHERE state = 0;
CREATE INDEX message_held ON message (received_ms) WHERE state = 3;
CREATE INDEX message_kept ON message (finished_ms)
 WHERE state = 2 AND body <> 0;
CREATE INDEX message_file ON message (size) WHERE body = 2;
PRAGMA application_id = 1280340852;
PRAGMA user_version = 1;
"""

DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"


def file_name(number):
    """A message id as bodies/ has it."""
    return "".join(DIGITS[number >> 5 * n & 31] for n in range(12, -1, -1))


class Upgrade(TestCase):
    def put(self, spool, db, number, content, in_file):
        now = int(time.time() * 1000)
        ident = (now << 20) + number
        db.execute(
            "INSERT INTO message VALUES (?,0,?,'127.0.0.1','default','x',"
            "'printer@lan.test','printer@lan.test',?,NULL,?,?,?,?,0,1,"
            "'message-deferred',?,?,?,1)",
            (ident, 2 if in_file else 1, f"old {number}",
             "default" if number % 2 else None, now, now + 86400000, now,
             len(content), content.index(b"\r\n\r\n") + 4,
             zlib.crc32(content)))
        db.execute("INSERT INTO recipient VALUES (?,0,'boss@example.test',0,"
                   "'451 later')", (ident,))
        if in_file:
            (spool / "bodies" / file_name(ident)).write_bytes(content)
        else:
            db.execute("INSERT INTO body VALUES (?,?)", (ident, content))

    def test_what_version_1_left_is_delivered(self):
        provider = self.start(PracticeProvider(self.ca))
        lanpost = Lanpost(account=provider.account())
        for folder in (lanpost.spool, lanpost.spool / "bodies"):
            folder.mkdir(mode=0o700)
        with sqlite3.connect(lanpost.spool / "lanpost.db") as db:
            db.executescript(VERSION_1)
            for number in range(4):
                self.put(lanpost.spool, db, number, scan(
                    f"old-{number}", size=400000 if number > 1 else 0),
                    number > 1)
        db.close()
        self.start(lanpost)
        lanpost.wait_event("delivered", count=4, attempt=2)
        self.assertEqual(sorted(m.get("Subject")[0]
                                for m in provider.arrived()),
                         [f"Scan old-{n}" for n in range(4)])
        lanpost.stop()
        with sqlite3.connect(lanpost.spool / "lanpost.db") as db:
            self.assertEqual(db.execute(
                "SELECT count(*), count(rule) FROM message WHERE state = 1 "
                "AND body = 0").fetchone(), (4, 0))
        db.close()


if __name__ == "__main__":
    main()
