#!/usr/bin/python3
"""Transfers by FTPS, from what a system's file says to the file at the other end: what all remote folders promise
(remote_promises.py), bandwidth and certificates; on two servers that share no code."""
import os
import time

from bed import check, equal, main, read, wait
from ftp_lab import on_both
from remote_promises import fetching, register, sending

register(on_both)


@on_both("files are fetched and put by FTPS, whole, and nothing is left beside them")
def both_ways(site, server):
    fetching(site, server, ", after: delete")
    sending(site, server)
    body = os.urandom(3000000)
    server.put("outbox", "big ü.dat", body)
    server.put("outbox", "none.dat", b"")
    for i in range(20):
        site.drop(f"drop/small-{i}.dat", b"x" * i)
    site.drop("drop/big.dat", body)
    site.do("check")
    site.run_until_idle()
    equal(site.files("got"), ["big ü.dat", "none.dat"], "what was fetched")
    check(read(site.at("got/big ü.dat")) == body, "its bytes")
    equal(server.names("inbox"), sorted(["big.dat"] + [f"small-{i}.dat" for i in range(20)]), "what was put")
    check(server.read("inbox", "big.dat") == body, "its bytes")
    equal(server.names("outbox"), [], "what is left to fetch")


@on_both("a bandwidth limit holds both ways")
def slowly(site, server):
    fetching(site, server, more="bandwidth: 500KB/s\n")
    sending(site, server, more="bandwidth: 500KB/s\n")
    server.put("outbox", "big.dat", os.urandom(1500000))
    site.drop("drop/big.dat", os.urandom(1500000))
    began = time.monotonic()
    site.start()
    wait(lambda: site.files("got") or server.names("inbox") == ["big.dat"], 30, "the first")
    spent = time.monotonic() - began
    check(spent > 2.0, f"1.5 MB at 500 kB a second took {spent:.1f} s")
    wait(lambda: site.files("got") and server.names("inbox") == ["big.dat"], 30, "both")


@on_both("a certificate that cannot be trusted pauses the endpoint and says why, and the file goes when it can")
def certificate(site, server):
    sending(site, server)
    server.describe(site, port="OTHER")
    site.drop("drop/a.dat", b"a")
    site.start()
    wait(lambda: site.said("the certificate is for another name"), 20, "what is said")
    equal(server.names("inbox"), [], "what was put")
    site.stop()
    server.describe(site)
    site.run_until_idle()
    equal(server.names("inbox"), ["a.dat"], "what was put")


main()
