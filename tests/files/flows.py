#!/usr/bin/python3
"""File steps in flows of a running site: names from step to step and from flow to flow, large documents, refusals, `ferrule test`."""
import gzip
import hashlib
import io
import os
import sys
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "e2e"), HERE]
from bed import check, equal, main, read, test  # noqa: E402

UNPACK = """
flow: unpack
owner: transfers
from: {file: 'drop/in/*', after: archive}
steps:
  - unzip: '*.csv'
publish: file.unpacked.v1
"""
PACK = """
flow: pack
owner: transfers
subscribe: file.unpacked.v1
steps:
  - gzip: 9
to: {file: 'drop/out/$($envelope.name)', exists: refuse, create: true}
effect: rename
"""


def archive(*members):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return made.getvalue()


def listed(site, folder):
    try:
        return sorted(name for name in os.listdir(site.at(folder)) if not name.startswith("."))
    except FileNotFoundError:
        return []


@test("members of an archive keep their names through a topic into the next flow's file names")
def names(site):
    site.flow(UNPACK)
    site.flow(PACK)
    large = os.urandom(300000)
    site.drop("drop/in/day.zip", archive(("2026/a.csv", b"a;1\n"), ("2026/größe.csv", b"b;2\n"), ("read.me", b"-"), ("large.csv", large)))
    site.do("check")
    site.do("run", "--until-idle", "--for", "60s")
    equal(listed(site, "drop/out"), ["a.csv.gz", "größe.csv.gz", "large.csv.gz"], "delivered")
    equal(gzip.decompress(read(site.at("drop/out/a.csv.gz"))), b"a;1\n", "content")
    equal(gzip.decompress(read(site.at("drop/out/large.csv.gz"))), large, "large content")
    equal(site.dead(), [], "nothing is dead")


@test("an archive that means harm is one dead letter, and the file is told of")
def harm(site):
    site.flow(UNPACK)
    site.flow(PACK)
    site.drop("drop/in/evil.zip", archive(("good.csv", b"1"), ("../../evil.csv", b"2")))
    site.do("run", "--until-idle", "--for", "60s")
    equal(listed(site, "drop/out"), [], "nothing comes out")
    said = site.do("dead", "list")
    check("zip.path" in said and "evil.zip" in site.do("trace", "evil.zip"), said)


@test("a document of 40 MiB goes through packing and unpacking, whatever the limits of memory")
def large(site):
    site.write("site.yaml", "name: e2e\nlimits: {disk-reserve: 1MiB, process-memory: 512MiB}\nprocesses: {transform: 1}\n")
    site.flow("""
flow: round
owner: transfers
from: {file: 'drop/in/*', after: archive}
steps:
  - gzip: 1
  - gunzip
  - zip: $($envelope.name)
  - unzip
to: {file: 'drop/out/$($envelope.name)', exists: refuse, create: true}
effect: rename
""")
    block, digest = os.urandom(1 << 20), hashlib.sha256()
    os.makedirs(site.at("drop/in"))
    with open(site.at("drop/in/.large"), "wb") as file:
        for _ in range(40):
            file.write(block)
            digest.update(block)
    os.rename(site.at("drop/in/.large"), site.at("drop/in/large.bin"))
    site.do("run", "--until-idle", "--for", "120s")
    equal(listed(site, "drop/out"), ["large.bin"], "delivered")
    equal(hashlib.sha256(read(site.at("drop/out/large.bin"))).hexdigest(), digest.hexdigest(), "content")
    site.write("site.yaml", "name: e2e\nlimits: {disk-reserve: 1MiB, document: 1MiB}\nprocesses: {transform: 1}\n")
    site.drop("drop/in/bomb.bin", gzip.compress(bytes(2 << 20)))
    site.flow("""
flow: round
owner: transfers
from: {file: 'drop/in/*', after: archive}
steps:
  - gunzip
to: {file: 'drop/out/$($envelope.name)', exists: refuse, create: true}
effect: rename
""")
    site.do("run", "--until-idle", "--for", "60s")
    check("document.too-large" in site.do("dead", "list"), site.do("dead", "list"))
    equal(listed(site, "drop/out"), ["large.bin"], "past the site's limit nothing comes out")


@test("`ferrule test` runs file steps offline")
def offline(site):
    site.flow(UNPACK)
    site.flow(PACK)
    site.write("tests/day.zip", archive(("a.csv", b"a;1\n"), ("b.txt", b"-")))
    site.write("tests/unpack.yaml", """
test: unpacks
flow: unpack
follow: [pack]
input: {file: tests/day.zip, name: day.zip}
delivered:
  - {to: pack, path: drop/out/a.csv.gz}
dropped:
  - {flow: unpack, step: unzip, count: 1}
""")
    code, out, err = site.type("test")
    equal(code, 0, out + err)


main()
