#!/usr/bin/python3
"""What transfers promise beside fetching and delivering: sizes and bandwidth; on two SFTP servers that share no code."""
import os
import time

from bed import check, equal, main, read, wait
from sftp_lab import on_both

FETCH = """
transfer: fetch
owner: edi
from: {sftp: 'outbox/*.dat', system: acme, age: 0s, interval: 200ms%s}
%sto: {file: 'got/$($envelope.name)', create: yes}
effect: rename
"""
SEND = """
transfer: send
owner: edi
from: {file: 'drop/*.dat', age: 0s, interval: 100ms%s}
%sto: {sftp: 'inbox/$($envelope.name)', system: acme}
effect: rename
"""


def fetching(site, server, source="", more=""):
    server.describe(site)
    site.write("transfers/fetch.yaml", FETCH % (source, more))


def sending(site, server, source="", more=""):
    server.describe(site)
    site.write("transfers/send.yaml", SEND % (source, more))


@on_both("a file of a size that is not allowed is put with the refused ones and said with both numbers, the others are taken")
def sizes(site, server):
    fetching(site, server, ", min-size: 10, max-size: 100, empty: refuse")
    for name, size in (("none", 0), ("small", 9), ("least", 10), ("most", 100), ("large", 101)):
        server.put("outbox", f"{name}.dat", b"x" * size)
    site.do("check")
    site.run_until_idle()
    equal(site.files("got"), ["least.dat", "most.dat"], "what was taken")
    equal([name for name in server.names("outbox") if name.startswith("rejected/")],
          ["rejected/large.dat", "rejected/none.dat", "rejected/small.dat"], "what was refused")
    for text in ("large.dat has 101 bytes, more than max-size: 100", "none.dat is empty, and empty: refuse", "small.dat has 9 bytes, less than min-size: 10"):
        check(site.said(text), "nothing says:", text)


@on_both("an empty file is taken where nothing else is said, whatever the least size")
def empty(site, server):
    fetching(site, server, ", min-size: 10")
    server.put("outbox", "none.dat", b"")
    site.run_until_idle()
    equal(site.files("got"), ["none.dat"], "what was taken")


@on_both("a bandwidth limit holds for what is fetched, and for what is fetched on after the line broke")
def fetched_slowly(site, server):
    fetching(site, server, more="bandwidth: 500KB/s\n")
    body = os.urandom(1500000)
    server.put("outbox", "big.dat", body)
    began = time.monotonic()
    site.start()
    wait(lambda: site.processes()["poll:fetch"], 10, "the source's process")
    time.sleep(1)
    server.break_lines()
    site.wait_files("got", 1, 30)
    spent = time.monotonic() - began
    check(site.said("reading goes on after a break"), "it was fetched before the line broke")
    check(spent > 2.7, f"1.5 MB at 500 kB a second took {spent:.1f} s")
    check(read(site.at("got/big.dat")) == body, "its bytes")


@on_both("a bandwidth limit holds for what is delivered")
def sent_slowly(site, server):
    sending(site, server, more="bandwidth: 500KB/s\n")
    site.drop("drop/big.dat", os.urandom(1500000))
    began = time.monotonic()
    site.start()
    wait(lambda: server.names("inbox") == ["big.dat"], 30, "the file")
    spent = time.monotonic() - began
    check(spent > 2.7, f"1.5 MB at 500 kB a second took {spent:.1f} s")


main()
