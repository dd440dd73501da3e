#!/usr/bin/python3
"""Transfers by FTPS, from what a system's file says to the file at the other end, on ProFTPD."""
import atexit
import os
import shutil
import subprocess
import time

from bed import LAB, Skip, check, equal, main, read, test, wait

SCRIPT = os.path.join(LAB, "ftp-proftpd.sh")
DIRECTORY = f"/tmp/ferrule-e2e-ftp-{os.getpid()}"
env = {}


def down():
    subprocess.run([SCRIPT, "down", DIRECTORY], check=False)


def at(*parts):
    return os.path.join(env["FTP_HOME"], *parts)


def server(site, port="FTP_PORT"):
    if os.geteuid() != 0:
        raise Skip("an FTP server with an account of its own needs root")
    if not env:
        atexit.register(down)
        done = subprocess.run([SCRIPT, "up", DIRECTORY, "--while", str(os.getpid())], stdout=subprocess.PIPE, check=True)
        env.update(line.split("=", 1) for line in done.stdout.decode().splitlines())
    owner = os.stat(at("outbox"))
    for folder in ("inbox", "outbox", "archive"):
        shutil.rmtree(at(folder))
        os.mkdir(at(folder), 0o750)
        os.chown(at(folder), owner.st_uid, owner.st_gid)
    site.secret("acme-ftp", env["FTP_PASSWORD"])
    site.write("systems/acme.yaml", f"system: acme\nowner: edi\nftp: {{host: 127.0.0.1, port: {env[port]}, user: acme, password: {{secret: acme-ftp}}, "
               f"ca: {env['FTP_CA']}, timeout: 3s}}\n")


def put(name, content):
    owner = os.stat(at("outbox"))
    with open(at("outbox", name), "wb") as file:
        file.write(content)
    os.chown(at("outbox", name), owner.st_uid, owner.st_gid)


FETCH = """
transfer: fetch
owner: edi
from: {ftp: 'outbox/*.dat', system: acme, age: 0s, interval: 200ms}
%sto: {file: 'got/$($envelope.name)', create: yes}
effect: rename
"""
SEND = """
transfer: send
owner: edi
from: {file: 'drop/*.dat', age: 0s, interval: 100ms}
%sto: {ftp: 'inbox/$($envelope.name)', system: acme}
effect: rename
"""


@test("files are fetched and put by FTPS, whole, and nothing is left beside them")
def both_ways(site):
    server(site)
    site.write("transfers/fetch.yaml", FETCH % "")
    site.write("transfers/send.yaml", SEND % "")
    body = os.urandom(3000000)
    put("big ü.dat", body)
    put("none.dat", b"")
    for i in range(20):
        site.drop(f"drop/small-{i}.dat", b"x" * i)
    site.drop("drop/big.dat", body)
    site.do("check")
    site.run_until_idle()
    equal(sorted(site.files("got")), ["big ü.dat", "none.dat"], "what was fetched")
    check(read(site.at("got/big ü.dat")) == body, "its bytes")
    equal(sorted(os.listdir(at("inbox"))), sorted(["big.dat"] + [f"small-{i}.dat" for i in range(20)]), "what was put")
    with open(at("inbox", "big.dat"), "rb") as file:
        check(file.read() == body, "its bytes")
    equal([name for name in os.listdir(at("outbox")) if name != "archive"], [], "what is left to fetch")


@test("what has a temporary name that others use is left alone")
def temporary(site):
    server(site)
    site.write("transfers/fetch.yaml", (FETCH % "").replace("*.dat", "*"))
    for name in ("a.tmp", "b.part", "c.partial", "d.filepart", ".e.dat", "ready.dat"):
        put(name, name.encode())
    site.run_until_idle()
    equal(site.files("got"), ["ready.dat"], "what was taken")


@test("a bandwidth limit holds both ways")
def slowly(site):
    server(site)
    site.write("transfers/fetch.yaml", FETCH % "bandwidth: 500KB/s\n")
    site.write("transfers/send.yaml", SEND % "bandwidth: 500KB/s\n")
    put("big.dat", os.urandom(1500000))
    site.drop("drop/big.dat", os.urandom(1500000))
    began = time.monotonic()
    site.start()
    wait(lambda: os.path.exists(site.at("got/big.dat")) or "big.dat" in os.listdir(at("inbox")), 30, "the first")
    spent = time.monotonic() - began
    check(spent > 2.0, f"1.5 MB at 500 kB a second took {spent:.1f} s")
    wait(lambda: os.path.exists(site.at("got/big.dat")) and "big.dat" in os.listdir(at("inbox")), 30, "both")


@test("a certificate that cannot be trusted pauses the endpoint and says why, and the file goes when it can")
def certificate(site):
    server(site, "FTP_OTHER")
    site.write("transfers/send.yaml", SEND % "")
    site.drop("drop/a.dat", b"a")
    site.start()
    wait(lambda: site.said("the certificate is for another name"), 20, "what is said")
    equal(os.listdir(at("inbox")), [], "what was put")
    site.stop()
    server(site)
    site.run_until_idle()
    equal(os.listdir(at("inbox")), ["a.dat"], "what was put")


main()
