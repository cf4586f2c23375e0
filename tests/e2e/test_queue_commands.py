"""An operator holds, releases, retries and deletes; what has failed goes out
after its reason is mended."""

import json

from e2e_devices import scan
from e2e_providers import PracticeProvider
from lanpost_e2e import Lanpost, TestCase, main

OK, USAGE, UNAVAILABLE = 0, 64, 69
UNKNOWN_ID = "1m7y1t68wxm5b"


class Queue(TestCase):
    def pair(self, script="", **relay):
        self.provider = self.start(PracticeProvider(self.ca, script))
        self.lanpost = self.start(Lanpost(
            account=self.provider.account(),
            relay={"retry": "1h", **relay}))
        self.lanpost.wait_control()

    def post(self, token, outcome):
        self.lanpost.send(scan(token))
        id = self.lanpost.wait_event("accepted", subject=f"Scan {token}")["id"]
        self.lanpost.wait_event(outcome, id=id)
        self.lanpost.wait_story(id, attempts=1)
        return id

    def queue(self, *arguments, check=OK):
        return self.lanpost.command("queue", *arguments, check=check)

    def rows(self):
        return {row["id"]: row
                for row in json.loads(self.queue("--json").stdout)}

    def arrived(self):
        return [message.get("Subject")[0] for message in
                self.provider.arrived()]


DEFER = 'stage=rcpt times=1 reply="451 4.2.0 come back later"\n'


class Changes(Queue):
    def test_retry(self):
        self.pair(DEFER)
        id = self.post("again", "deferred")
        self.assertEqual(self.rows()[id]["waits_for"], "its next attempt")
        self.assertIn(id, self.queue("retry", id).stdout)
        self.lanpost.wait_story(id, state="delivered")
        self.assertEqual(self.rows(), {})

    def test_retry_all(self):
        self.pair('stage=rcpt times=3 reply="451 4.2.0 come back later"\n')
        ids = [self.post(f"all-{n}", "deferred") for n in range(3)]
        said = self.queue("retry", "--json").stdout
        self.assertEqual(json.loads(said)["retried"], 3)
        for id in ids:
            self.lanpost.wait_event("delivered", id=id)

    def test_hold_and_release(self):
        """Held, it is not even tried when everything is; released, it goes,
        also after a restart."""
        self.pair('stage=rcpt times=2 reply="451 4.2.0 come back later"\n')
        held, free = self.post("held", "deferred"), self.post("free",
                                                              "deferred")
        self.queue("hold", held)
        row = self.rows()[held]
        self.assertEqual((row["state"], row["waits_for"]),
                         ("held", "its release"))
        self.assertIn("held", self.queue().stdout)
        self.queue("hold", held)        # once more does no harm
        self.queue("retry")
        self.lanpost.wait_story(free, state="delivered")
        self.lanpost.stop()
        self.assertEqual(self.rows()[held]["state"], "held")
        self.lanpost.start()
        self.lanpost.wait_control()
        self.assertEqual(list(self.rows()), [held])
        self.queue("release", held)
        self.lanpost.wait_event("delivered", id=held)
        self.assertEqual(self.arrived(), ["Scan free", "Scan held"])

    def test_delete(self):
        self.pair(DEFER)
        id = self.post("unwanted", "deferred")
        self.queue("delete", id)
        self.assertEqual(self.rows(), {})
        self.queue("retry")
        self.post("next", "delivered")
        self.assertEqual(self.arrived(), ["Scan next"])
        story = self.lanpost.ask(f"/api/v1/messages/{id}")[1]
        self.assertEqual(story["state"], "deleted")
        for verb in ("retry", "hold", "release"):
            done = self.queue(verb, id, check=UNAVAILABLE)
            self.assertIn("deleted", done.stderr)

    def test_a_failed_one_goes_out_when_its_reason_is_mended(self):
        self.pair('stage=rcpt match="boss@*" times=1 '
                  'reply="550 5.1.1 no such user"\n')
        id = self.post("mended", "failed")
        self.assertEqual(self.arrived(), [])
        self.queue("release", id)
        self.lanpost.wait_event("delivered", id=id)
        self.assertEqual(self.arrived(), ["Scan mended"])
        story = self.lanpost.wait_story(id, state="delivered")
        self.assertEqual(len(story["tries"]), 2)

    def test_a_delivered_one_is_no_ones_to_change(self):
        self.pair()
        id = self.post("done", "delivered")
        for verb in ("retry", "hold", "release", "delete"):
            done = self.queue(verb, id, check=UNAVAILABLE)
            self.assertIn(id, done.stderr)
            status, answer = self.lanpost.ask(
                f"/api/v1/queue/{id}/{verb}", "POST")
            self.assertEqual(status, 409, answer)
        self.assertEqual(len(self.arrived()), 1)

    def test_one_that_is_being_sent(self):
        self.pair('stage=data-end times=1 do=hang\n', shutdown_grace="1s")
        self.lanpost.send(scan("busy"))
        id = self.lanpost.wait_event("accepted")["id"]
        self.lanpost.wait_event("upstream-connected")
        done = self.queue("hold", id, check=UNAVAILABLE)
        self.assertIn("being sent", done.stderr)
        self.assertEqual(
            self.lanpost.ask(f"/api/v1/queue/{id}/delete", "POST")[0], 409)


class Lists(Queue):
    def test_bounded(self):
        self.pair('stage=rcpt reply="451 4.2.0 come back later"\n')
        ids = [self.post(f"many-{n}", "deferred") for n in range(4)]
        done = self.queue("list", "--limit", "3", "--json")
        self.assertEqual([row["id"] for row in json.loads(done.stdout)],
                         ids[:3])
        done = self.queue("--limit", "3")
        self.assertNotIn(ids[3], done.stdout)
        self.assertIn("--limit", done.stderr)

    def test_wrong_ids_and_arguments(self):
        self.pair()
        for arguments, code, word in (
                (("show", UNKNOWN_ID), UNAVAILABLE, UNKNOWN_ID),
                (("hold", UNKNOWN_ID), UNAVAILABLE, UNKNOWN_ID),
                (("release", UNKNOWN_ID), UNAVAILABLE, UNKNOWN_ID),
                (("delete", UNKNOWN_ID), UNAVAILABLE, UNKNOWN_ID),
                (("retry", UNKNOWN_ID), UNAVAILABLE, UNKNOWN_ID),
                (("show", "zzz"), UNAVAILABLE, "zzz"),
                (("hold", "zzz"), UNAVAILABLE, "zzz"),
                (("hold", "\x1b[2J"), UNAVAILABLE, "no id"),
                (("hold", "../x"), UNAVAILABLE, "../x"),
                (("show",), USAGE, "ID"), (("hold",), USAGE, "ID"),
                (("delete",), USAGE, "ID"),
                (("list", UNKNOWN_ID), USAGE, UNKNOWN_ID),
                (("nonsense",), USAGE, "nonsense"),
                (("hold", UNKNOWN_ID, "more"), USAGE, "more"),
                (("--nonsense",), USAGE, "--nonsense"),
                (("--limit", "0"), USAGE, "limit")):
            with self.subTest(arguments=arguments):
                done = self.queue(*arguments, check=code)
                self.assertIn(word, done.stderr)
                self.assertNotIn("\x1b", done.stderr)
                self.assertEqual(done.stdout, "")

    def test_without_a_server(self):
        """What reads goes on, what changes says that it needs one."""
        self.pair(DEFER)
        id = self.post("alone", "deferred")
        self.lanpost.stop()
        self.assertEqual(list(self.rows()), [id])
        self.assertIn(id, self.queue("show", id).stdout)
        for arguments in (("hold", id), ("release", id), ("delete", id),
                          ("retry", id), ("retry",)):
            done = self.queue(*arguments, check=UNAVAILABLE)
            self.assertIn("no lanpost server runs", done.stderr)
            self.assertIn(str(self.lanpost.spool), done.stderr)
        self.assertEqual(self.rows()[id]["state"], "queued")


if __name__ == "__main__":
    main()
