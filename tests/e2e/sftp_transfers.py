#!/usr/bin/python3
"""Transfers by SFTP: what all remote folders promise (remote_promises.py), bandwidth and held connections; on two servers that share
no code."""
import fcntl
import json
import os
import re
import subprocess
import time

from bed import FERRULE, check, equal, main, read, wait
from remote_promises import fetch, fetching, register, sending
from sftp_lab import Forgetful, on_both

register(on_both)


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


@on_both("connections that are held between looks and deliveries outlive a line that forgets, by their keep-alives")
def kept_alive(site, server):
    line = Forgetful(server.env["SFTP_PORT"], 3)
    sending(site, server)
    site.write("transfers/fetch.yaml", fetch(server).replace("200ms", "5s"))
    server.describe(site, ", keep-alive: 1s, timeout: 5s", line.port)
    server.put("outbox", "first.dat", "1")
    site.drop("drop/first.dat", "1")
    site.start()
    wait(lambda: site.files("got") == ["first.dat"] and server.names("inbox") == ["first.dat"], 15, "the first")
    time.sleep(4.5)  # longer than the line remembers
    server.put("outbox", "second.dat", "2")
    site.drop("drop/second.dat", "2")
    wait(lambda: len(site.files("got")) == 2 and len(server.names("inbox")) == 2, 10, "the second")
    equal(len(line.held), 2, "connections, one of the source and one of the sink")


@on_both("a host key that is pinned is in the audit trail, and nobody's pins are lost where they cannot be read")
def pins(site, server):
    fetching(site, server)
    with open(site.at("systems/acme.yaml")) as file:
        text = file.read()
    site.write("systems/acme.yaml", re.sub(r", known-hosts: [^,}]*", "", text))
    code, out, err = site.type("transfer", "trust", "acme", "--json")
    shown = json.loads(out)
    equal((code, shown["known"]), (1, ""), "what is pinned before: " + err)
    os.symlink("known_hosts", site.at("known_hosts"))
    code, out, err = site.type("transfer", "trust", "acme", "--fingerprint", shown["fingerprint"])
    check(code == 1 and "Too many levels" in err and os.path.islink(site.at("known_hosts")), "pins that nobody can read:", code, out, err)
    os.unlink(site.at("known_hosts"))
    site.do("transfer", "trust", "acme", "--fingerprint", shown["fingerprint"])
    records = [json.loads(line) for line in site.do("audit", "show", "--what", "trust", "--json").splitlines()]
    equal(records[-1]["facts"], {"system": "acme", "host": shown["host"], "type": shown["type"], "fingerprint": shown["fingerprint"], "before": ""},
          "what the trail says of it")
    check(records[-1]["by"], "who did it:", records[-1])
    server.put("outbox", "one.dat", "one")
    site.run_until_idle()
    equal(site.files("got"), ["one.dat"], "what was taken")


@on_both("a file of pins that is a link stays one, and of two that pin at once the second waits")
def pins_of_two(site, server):
    fetching(site, server)
    with open(site.at("systems/acme.yaml")) as file:
        text = re.sub(r", known-hosts: [^,}]*", "", file.read())
    site.write("systems/acme.yaml", text)
    site.write("systems/other.yaml", text.replace("system: acme", "system: other").replace("host: 127.0.0.1", "host: localhost"))
    site.write("transfers/again.yaml", fetch(server, name="again").replace("got/", "again/").replace("outbox", "inbox").replace("system: acme", "system: other"))
    site.write("shared/pins", "elsewhere ssh-ed25519 AAAA\n")
    os.symlink("shared/pins", site.at("known_hosts"))
    site.do("check")
    seen = json.loads(site.type("transfer", "trust", "acme", "--json")[1])["fingerprint"]
    folder = os.open(site.at("shared"), os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    both = [subprocess.Popen([FERRULE, "transfer", "trust", name, "--fingerprint", seen], cwd=site.path, stdout=subprocess.DEVNULL) for name in ("acme", "other")]
    time.sleep(1)
    equal([one.poll() for one in both], [None, None], "while somebody else writes there")
    os.close(folder)
    equal([one.wait(timeout=20) for one in both], [0, 0], "both")
    check(os.path.islink(site.at("known_hosts")), "the link is gone")
    pinned = read(site.at("shared/pins")).decode()
    check("elsewhere" in pinned and "127.0.0.1" in pinned and "localhost" in pinned, pinned)


main()

