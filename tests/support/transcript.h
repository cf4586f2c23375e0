/*
 * transcript -- golden dialogues: read from a file, played against an engine.
 *
 *     # The client is refused, and says good-bye.
 *     ! play server                  what is tested: server, client
 *     E: CONNECT
 *     S: 220 relay.example ...
 *     C: EHLO printer
 *     ...
 *     ! mail 550 5.7.1 Not you       what the driver answers
 *     C: MAIL FROM:<a@b>
 *     E: MAIL <a@b>                  the engine asks
 *     S: 550 5.7.1 Not you           and says
 *
 * C: and S: are bytes of the client and of the server.  Those of the peer are
 * put in; those of the engine are expected.  E: are its events (record.h has
 * their words), D: is mail data: expected from a server, handed to a client
 * as its message.  "?" asks: "? state RCPT",
 * "? quirks HELO_EMPTY", "? stage MAIL", "? can_begin".
 * CRLF ends each C:, S: and D: line unless a backslash does.  Escapes are \r
 * \n \t \\ \x00, and \{3 abc} for abcabcabc.  What is expected may end in
 * "...": any text.
 *
 * Lines that put in, or do ("!"), begin a turn; what is expected of it follows.
 * Bytes put in without anything expected between come in one piece.
 *
 * Settings, before all else:
 *     caps SIZE PIPELINING       mechanisms PLAIN LOGIN   max_size 1000
 *     max_recipients 3           max_bad 5                (of a server)
 *     single_line_ehlo   any_login   lf_end_of_data   strict
 *     tls_required       login_required                   (of a server)
 *     sasl                       PLAIN and LOGIN are run, each login is right
 *     early EHLO a\r\n           bytes that come before the greeting
 *     tls starttls|implicit|none login USER SECRET        mechanisms LOGIN
 *     pipelining no              eager                    (of a client)
 *     one_piece                  a cut would be another story: none is made
 *     past_ehlo                  begin behind the answer to EHLO; of a client
 *                                with what was offered: past_ehlo SIZE 9,DSN
 * Answers of a server's driver, one for the next such question; else it says
 * yes:  connect ehlo starttls auth response mail rcpt data end, then CODE,
 * STATUS or "-", text.
 * Acts of a server's driver:
 *     goodbye 421 4.4.2 text     refuse_data 552 5.3.4 text   secure CAPS...
 * and of a client's:
 *     begin NAME FROM TO... [size=N] [grows] [8bit] [can_7bit]
 *     end (of D:)   secure   quit
 */
#ifndef TESTS_SUPPORT_TRANSCRIPT_H
#define TESTS_SUPPORT_TRANSCRIPT_H

#include "proto/buf.h"

struct transcript;

/* Ends the test with file and line where it is no transcript. */
struct transcript *transcript_read(const char *path);
void transcript_free(struct transcript **transcript);

/* What the peer says, from first to last, with what past_ehlo stands for. */
void transcript_input(const struct transcript *transcript, struct buf *out);
bool transcript_is_of_client(const struct transcript *transcript);
/* A setting such as "eager" is there; its words, or NULL. */
const char *transcript_setting(const struct transcript *transcript,
                               const char *name);

/* Play it whole, byte by byte, and cut in two at every position, with answers
 * at once and late.  Fails the test with file, line, and both sides, unless
 * the dialogue is as written and the same each time. */
void transcript_play(const struct transcript *transcript);

#endif
