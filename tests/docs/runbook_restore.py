#!/usr/bin/env python3
"""docs/runbooks/failed-upgrade.md and restore.md: a site that is backed up, meets tables of a later version and a wrong mapping, and is
restored on another machine."""
import os
import shutil
import sqlite3
import subprocess

import runbook
from bed import Target, check, equal, main, test, wait

FLOW = """
flow: orders
owner: sales
from: {file: 'in/*.json', after: delete, age: 0s, interval: 50ms}
steps:
  - decode: json
  - map: {jq: 'MAPPING'}
to: {operation: erp.put}
effect: none
"""
TEST = """
flow: orders
cases:
  - test: an order is filed under its number
    input: {json: {n: 7}, name: a.json}
    delivered: {to: orders, has: {n: 7}}
"""


def prepare(site):
    target = Target(site, "erp")
    site.system("erp", target.url)
    site.flow(FLOW.replace("MAPPING", "."))
    site.write("tests/orders.yaml", TEST)
    site.start()
    for n in (1, 2):
        site.drop(f"in/{n}.json", {"n": n})
    wait(lambda: len(target.paths()) == 2, 20, "two orders")
    return target


def git(site, *words):
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *words], cwd=site.path, stdout=subprocess.DEVNULL, check=True)


@test("the page for an upgrade that failed: before it, tables of a later version, a revert, and a wrong mapping")
def failed_upgrade(site):
    target = prepare(site)
    backups = os.path.join(site.root, "backups")
    os.mkdir(backups)
    env = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org",
           "GIT_EDITOR": "true", "GIT_PAGER": "cat"}
    page = runbook.Page(site, "failed-upgrade", {"/backups": backups, "FLOW": "orders", "git revert": "git revert --no-edit HEAD"}, env)
    git(site, "init", "-q")
    site.write(".gitignore", "data/\nin/\n")
    git(site, "add", "-A")
    git(site, "commit", "-qm", "good")

    page.type("ferrule check")
    page.type("ferrule test")
    page.type("ferrule status --until-idle")
    page.type("ferrule backup")
    backup = os.path.join(backups, os.listdir(backups)[0])

    site.stop()
    db = sqlite3.connect(site.at("data/site.db"))
    db.execute("UPDATE schema_version SET version = 9999")
    db.commit()
    db.close()
    site.start(ready=False)
    wait(lambda: site.said("store.newer"), 20, "the old version's word")
    check("later version" in site.said("store.newer"), site.said("store.newer"))
    site.stop()
    os.rename(site.at("data"), site.at("data.newer"))
    site.do("restore", backup)
    site.start()

    site.write("flows/orders.yaml", FLOW.replace("MAPPING", ". +").lstrip("\n"))
    git(site, "commit", "-qam", "bad")
    page.type("ferrule check", code=1)
    page.type("git diff")
    page.type("git revert")
    page.type("ferrule check")

    site.write("flows/orders.yaml", FLOW.replace("MAPPING", ".n += 100").lstrip("\n"))
    site.reload()
    site.drop("in/3.json", {"n": 3})
    wait(lambda: "/103" in target.paths(), 20, "a wrong one")
    page.type("ferrule hold")
    site.drop("in/4.json", {"n": 4})
    check("1 " in page.type("ferrule test", code=1), "the test does not see it")
    site.write("flows/orders.yaml", FLOW.replace("MAPPING", ".").lstrip("\n"))
    page.type("ferrule replay FLOW --dry-run")
    site.reload()
    site.do("resume", "orders")
    page.type("ferrule replay FLOW --again")
    wait(lambda: "/3" in target.paths(), 20, "the right one")
    check("ferrule" in page.type("ferrule version"), "the version")
    site.idle()
    page.type("ferrule status --problems")
    page.over()


@test("the page for a machine that is gone: what is typed on the new one, in this order")
def restore(site):
    target = prepare(site)
    safe = os.path.join(site.root, "safe")
    os.mkdir(safe)
    site.do("backup", os.path.join(safe, "tuesday"))
    site.drop("in/5.json", {"n": 5})
    wait(lambda: "/5" in target.paths(), 20, "what is delivered after the backup")
    site.kill_all()
    shutil.rmtree(site.at("data"))

    page = runbook.Page(site, "restore", {"/backups": safe, "SYSTEM": "erp"})
    page.type("ferrule backup --verify")
    page.type("ferrule restore")
    page.type("ferrule check")
    page.type("ferrule hold")
    site.start()
    site.drop("in/6.json", {"n": 6})
    check("erp" in page.type("ferrule status"), "the hold is not shown")
    page.type("ferrule doubt list")
    page.type("ferrule expect list --missed")
    equal(sorted(target.paths()), ["/1", "/2", "/5"], "what is sent while it is held")
    site.do("resume", "erp")
    wait(lambda: "/6" in target.paths(), 20, "what came since")
    equal(sorted(target.paths()), ["/1", "/2", "/5", "/6"], "deliveries")
    page.type("ferrule doubt list")
    page.over(["ferrule backup"])


main()
