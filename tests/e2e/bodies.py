#!/usr/bin/env python3
"""Bodies of every size, from nothing to 64 MiB, arrive as they were at every subscriber: small ones travel in the queue, large
ones as a reference into the vault, whatever the queue is."""
import hashlib
import os
import random
import time

from bed import Skip, check, equal, has_faults, main, read, test, wait
from servers import Servers

SIZES = [0, 1, 4096, 64 * 1024, 64 * 1024 + 1, 1 << 20, 64 << 20]

INTAKE = """
flow: intake
owner: tests
from: {file: 'in/*.bin', after: archive, age: 0s, interval: 100ms}
publish: thing.received.v1
"""

OUT = """
flow: NAME
owner: tests
subscribe: thing.received.v1
to: {file: 'out-NAME/$($envelope.name)', exists: refuse, create: yes}
effect: rename
"""


def every_size(site):
    site.flow(INTAKE)
    site.flow(OUT.replace("NAME", "one"))
    site.flow(OUT.replace("NAME", "two"))
    rng, wanted = random.Random(1), {}
    for size in SIZES:
        content = rng.randbytes(size)
        wanted[f"b{size}.bin"] = hashlib.sha256(content).hexdigest()
        site.drop(f"in/b{size}.bin", content)
    site.run_until_idle(60)
    equal(site.dead(), [], "dead letters")
    for folder in ("out-one", "out-two"):
        got = {name: hashlib.sha256(read(site.at(folder, name))).hexdigest() for name in site.files(folder)}
        equal(got, wanted, folder)


@test("bodies from 0 bytes to 64 MiB reach two subscribers byte by byte")
def on_spool(site):
    every_size(site)


@test("the same on RabbitMQ and PostgreSQL")
def on_servers(site):
    servers = Servers()
    try:
        servers.choose(site)
        every_size(site)
    finally:
        servers.down()


@test("a large body is there for whoever takes its message, though the one who made it is killed before its unit ends")
def made_and_killed(site):
    if not has_faults():
        raise Skip("built without --enable-faults")
    servers = Servers()
    try:
        servers.choose(site)
        site.flow("flow: intake\nowner: tests\nfrom: {file: 'in/*.json', after: archive, age: 0s, interval: 100ms}\n"
                  "steps: [{decode: json}, {split: {by: '.items[]', id: [.n]}}]\npublish: thing.received.v1\n")
        site.flow(OUT.replace("NAME", "one").replace("$($envelope.name)", "$(.n)")
                  .replace("to:", "steps: [{decode: json}, {encode: json}]\nto:"))
        # the small ones make the unit so large that some of it is sent before it ends
        document = {"items": [{"n": n, "text": "x" * (100_000 if n < 4 else 3000)} for n in range(100)]}
        site.start()
        time.sleep(5)  # the queues are new, and take nothing for a while
        site.stop()
        site.drop("in/doc.json", document)
        site.start(env={"FERRULE_FAULTS": "transform.done:1=kill", "FERRULE_FAULT_MARKS": site.work})
        wait(lambda: len(site.files("out-one")) == 100 or site.dead(), 30, "the parts")
        check(os.path.exists(os.path.join(site.work, "transform.done.struck")), "the transform was not killed")
        equal(site.dead(), [], "dead letters")
        equal(sorted(site.files("out-one")), sorted(str(n) for n in range(100)), "parts")
    finally:
        servers.down()


main()
