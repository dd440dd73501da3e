#!/usr/bin/env python3
"""What is past its time goes, what is still needed stays: on a site that keeps things for seconds."""
import json
import os
import time

from bed import check, equal, main, read, test, wait

SITE = """name: e2e
retention: {queue: 2s, originals: 3s, receipts: 4s, lineage: 3s}
limits: {disk-reserve: 1MiB}
processes: {transform: 1}
"""

FLOW = """
flow: intake
owner: tests
from: {file: 'in/*.json', after: delete, age: 0s, interval: 100ms}
duplicates: {by: content, within: 2s}
steps: [{decode: json}]
to: {file: 'out/$(.n).json', exists: replace, create: yes}
effect: rename
retry: {for: 1s}
"""


def kept(site, where):
    """Documents that are files of their own; configuration revisions are kept in the same way and are not counted."""
    paths = [os.path.join(path, name) for path, _, names in os.walk(os.path.join(site.at("data/vault"), where)) for name in names]
    return [path for path in paths if b"ferrule bundle" not in read(path)[:64]]


@test("large originals, receipts and lineage go when their time is over; a dead letter keeps its document")
def past_its_time(site):
    site.write("site.yaml", SITE)
    site.flow(FLOW)
    site.drop("in/good.json", '{"n": 1, "text": "%s"}' % ("g" * 100_000))
    site.drop("in/bad.json", '{"n": 2, "text": "%s"' % ("b" * 100_000))
    site.start()
    wait(lambda: os.path.exists(site.at("out/1.json")), 10, "the delivery")
    equal(len(site.dead()), 1, "dead letters")
    check(len(kept(site, "files")) >= 2, "both originals are files of their own")
    wait(lambda: len(kept(site, "files")) == 1, 20, "the good one's documents to go")
    check(len(kept(site, "trash")) >= 1, "what went lies in the trash for a day")
    equal(site.dead()[0]["cause"], "json.syntax", "the dead letter that stays")
    wait(lambda: site.type("trace", "good.json", "--site", site.path)[0] == 1, 20, "the lineage to go")
    # its identity is past its time, too: the same document is a new one
    site.drop("in/again.json", '{"n": 1, "text": "%s"}' % ("g" * 100_000))
    os.unlink(site.at("out/1.json"))
    wait(lambda: os.path.exists(site.at("out/1.json")), 10, "the same document, accepted anew")


@test("what waited in a queue for too long is dead, and told to the flow's on-reject topic")
def waited_too_long(site):
    site.write("site.yaml", SITE)
    site.flow(FLOW + "on-reject: {publish: order.refused.v1}\n")
    site.flow("flow: answers\nowner: tests\nsubscribe: order.refused.v1\nto: {file: 'refused/$(.document)', create: yes, exists: refuse}\n"
              "effect: rename\nretry: {for: 1s}\n")
    os.makedirs(site.at("in"))
    site.start()
    site.do("hold", "intake", "--until", "1h")
    site.do("send", "intake", "-", "--name", "late.json", input='{"n": 1}')
    time.sleep(2.2)
    site.do("resume", "intake")
    site.wait_files("refused", 1, 15)
    refusal = json.loads(read(site.at("refused/late.json")))
    equal((refusal["flow"], refusal["code"]), ("intake", "message.expired"), "the refusal")
    equal([letter["cause"] for letter in site.dead()], ["message.expired"], "dead letters")


main()
