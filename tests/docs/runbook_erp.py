#!/usr/bin/env python3
"""docs/runbooks/erp-down.md, with an ERP that hangs, refuses, and comes back."""
import runbook
from bed import HungTarget, Target, check, equal, main, test, wait

FLOW = """
flow: bank-statements
owner: treasury
runbook: https://wiki.example.net/bank-file
from: {file: 'in/*.json', after: delete, age: 0s, interval: 50ms}
steps:
  - decode: json
to: {operation: erp.put}
effect: none
"""


def site_of(site, url):
    site.system("erp", url, more="timeout: 1s\n")
    site.flow(FLOW)


@test("the page for an ERP that is down: what is shown is said, a hold keeps it quiet, it goes on, and doubts are decided")
def erp_down(site):
    hung = HungTarget(site)
    site_of(site, hung.url)
    site.start()
    for n in (1, 2):
        site.drop(f"in/{n}.json", {"n": n})
    wait(lambda: len(site.doubts()) == 2, 20, "two deliveries in doubt")
    hung.process.kill()
    hung.process.wait()
    site.drop("in/3.json", {"n": 3})
    wait(lambda: any("is paused" in problem["what"] for problem in site.status()["problems"]), 20, "the endpoint to be paused")

    page = runbook.Page(site, "erp-down", {"URL": hung.url})
    said = page.type("ferrule status --problems", code=1)
    check("2 effects at bank-statements may or may not have happened" in said, said)
    page.type("curl -sv", code=7)
    page.type("ferrule hold erp --until 90m --reason 'ERP maintenance'")
    check("held" in page.type("ferrule status"), "the hold is not shown")
    page.type("df -h data")

    target = Target(site, "erp", port=hung.port)
    equal(target.effects(), [], "what a held ERP gets")
    page.type("ferrule resume erp")
    wait(lambda: target.paths() == ["/3"], 30, "what had waited")

    said = page.type("ferrule doubt list")
    first, second = (doubt["key"][:8] for doubt in site.doubts())
    check(first in said and second in said, said)
    page.words["EFFECT"] = first
    page.type("ferrule doubt confirm")
    page.words["EFFECT"] = second
    page.type("ferrule doubt resend")
    wait(lambda: len(target.paths()) == 2, 30, "the one that is sent again")
    equal(sorted(target.paths())[1], "/3", "deliveries")
    site.idle()
    page.type("ferrule status --problems")
    check("bank-statements" not in page.type("ferrule expect list --missed"), "an answer is late")
    page.over()


main()
