#!/usr/bin/env python3
"""Expectations of a site on two machines: one of them judges, and when it is killed the other does, within ten seconds; each
miss is told once."""
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "crash"))
import lab  # noqa: E402
from bed import Site, Skip, check, equal, main, read, test, wait  # noqa: E402

FLOWS = """
flow: orders
owner: sales
from: {file: 'in/*.json', after: delete, age: 0s, interval: 50ms}
steps:
  - decode: json
publish: order.received.v1
---
flow: orders-to-erp
owner: finance
subscribe: order.received.v1
steps:
  - map: {jq: '{id: .number}'}
to: {file: 'erp/$(.id).json', create: yes}
effect: rename
expect: {event: order.accepted.v1, key: .number, within: 4s}
---
flow: accepted
owner: finance
from: {file: 'ack/*.json', after: delete, age: 0s, interval: 50ms}
steps:
  - decode: json
publish: order.accepted.v1
---
flow: accepted-kept
owner: finance
subscribe: order.accepted.v1
to: {file: 'accepted/$(.number).json', create: yes, exists: number}
effect: rename
---
flow: alerts
owner: operations
subscribe: ferrule.expectation-missed.v1
to: {file: 'SHARED/$(.key).json', create: yes, exists: number}
effect: rename
"""


@test("the other machine goes on judging when the one that did is killed")
def two(site):
    try:
        servers = lab.Servers()
    except lab.Skip as why:
        raise Skip(str(why)) from None
    other = Site()
    try:
        settings, secrets = servers.settings("expect")
        shared = os.path.join(site.root, "shared")
        for machine in (site, other):
            for name in ("in", "ack"):
                os.makedirs(machine.at(name))
            machine.write("site.yaml", "name: e2e\nlimits: {disk-reserve: 1MiB}\nprocesses: {transform: 1}\n"
                          f"vault: {os.path.join(site.root, 'vault')}\n" + settings)
            for name, value in secrets.items():
                machine.secret(name, value)
            machine.write("flows/all.yaml", FLOWS.lstrip("\n").replace("SHARED", shared))
            machine.start()
        for n in range(10):
            site.drop(f"in/{n}.json", {"number": f"PO-{n}"})
        wait(lambda: len(site.ask("expect", "list")["expectations"]) == 10, 20, "the open ones")
        site.kill_all()
        killed = time.monotonic()
        other.drop("ack/3.json", {"number": "PO-3"})
        wait(lambda: len(os.listdir(shared)) >= 9 if os.path.isdir(shared) else False, 20, "the alerts")
        check(time.monotonic() - killed < 4 + 10, "it took longer than ten seconds")
        time.sleep(1)
        other.idle()
        equal(sorted(os.listdir(shared)), sorted(f"PO-{n}.json" for n in range(10) if n != 3), "alerts")
        late = [e for e in other.ask("expect", "list", "--done")["expectations"]]
        equal([(e["label"], e["state"]) for e in late], [("PO-3", "met")], "the one that was answered")
    finally:
        other.close()
        servers.down()


main()
