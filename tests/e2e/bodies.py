#!/usr/bin/env python3
"""Bodies of every size, from nothing to 64 MiB, arrive as they were at every subscriber: small ones travel in the queue, large
ones as a reference into the vault, whatever the queue is."""
import hashlib
import random

from bed import equal, main, read, test
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


main()
