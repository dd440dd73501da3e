#!/usr/bin/env python3
"""docs/runbooks/disk-full.md on a small disk of its own (a tmpfs; root only), which somebody else fills, and then the vault does."""
import os
import shutil
import subprocess

import runbook
from bed import Skip, check, equal, free_port, main, request, test, wait

FLOW = """
flow: orders
owner: sales
from: {file: 'in/*.json', after: delete, age: 0s, interval: 50ms}
steps:
  - decode: json
to: {file: 'out/$(.n).json', create: yes, exists: refuse}
effect: rename
"""
SITE = """name: e2e
listen: {{http: {{address: 127.0.0.1, port: {port}}}}}
limits: {{disk-reserve: 8MiB}}
processes: {{transform: 1}}
"""


def small_disk(site, mib):
    path = site.at("data")
    os.makedirs(path)
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=0700", "ferrule-test", path], stderr=subprocess.DEVNULL).returncode:
        raise Skip("a disk of its own can be made by root only")
    return path


@test("the page for a full disk: it is shown as it is said, nothing is lost, and room ends it")
def disk_full(site):
    path = small_disk(site, 120)
    try:
        port = free_port()
        site.write("site.yaml", SITE.format(port=port))
        site.flow(FLOW)
        site.start()
        page = runbook.Page(site, "disk-full")
        site.drop("in/1.json", {"n": 1})
        site.wait_files("out", 1)
        equal(request(port, "GET", "/readyz")[0], 200, "before")
        room = shutil.disk_usage(path).free
        with open(os.path.join(path, "dump"), "wb") as dump:
            dump.write(bytes(room - (4 << 20)))
        wait(lambda: not site.status()["accepting"], 10, "the disk to be low")
        site.drop("in/2.json", {"n": 2})
        page.type("ferrule status --problems", code=1)
        equal(request(port, "GET", "/readyz")[0], 503, "while it is full")
        check("ferrule-test" in page.type("df -h data"), "df")
        check("data/dump" in page.type("du -xsh").splitlines()[-1], "du does not show what fills it")
        page.type("ferrule check")
        check("orders" in page.type("ferrule status"), "the queues")
        page.type("ferrule dead list")
        equal(site.files("in"), ["2.json"], "what is not taken stays")
        os.unlink(os.path.join(path, "dump"))
        site.wait_files("out", 2, 20)
        check("No problems" in site.do("status", "--problems"), "it is not over")
        equal(request(port, "GET", "/readyz")[0], 200, "at the end")
        page.over()
    finally:
        if site.supervisor:
            site.stop()
        subprocess.run(["umount", "-l", path], check=False)


main()
