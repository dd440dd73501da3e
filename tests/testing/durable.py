#!/usr/bin/env python3
"""ferrule test on flows whose messages wait: by the same rules, with the time that passes at the end of a test."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "e2e"))
from bed import check, main, test  # noqa: E402

FLOW = """
flow: @NAME@
owner: tests
from: {file: '@NAME@/*.json', after: archive}
steps:
  - decode: json
  - split: '.lines[]'
@STEPS@
publish: thing.v1
"""

CASES = {
    "counted": ("""
  - collect: {by: .k, count: 2, within: 1h}
  - map: {jq: '{all: [.[].n], c: $envelope.collected}'}
""", """
  - test: two at a time, and the rest when its time is over
    input: {json: {lines: [{k: a, n: 1}, {k: b, n: 2}, {k: a, n: 3}, {k: a, n: 4}]}, name: one.json}
    published:
      - {topic: thing.v1, has: {all: [1, 3], c: {key: a, reason: count, generation: 1}}}
      - {topic: thing.v1, has: {all: [4], c: {key: a, reason: time, generation: 2}}}
      - {topic: thing.v1, has: {all: [2], c: {key: b, reason: time}}}
"""),
    "grouped": ("""
  - filter: .n != 2
  - map: {jq: 'if .n == 3 then error("no") else . end'}
  - collect: {by: group, partial: @PARTIAL@}
  - map: {jq: '{all: [.[].n], c: $envelope.collected}'}
""", """
  - test: a dead part closes its group
    input: {json: {lines: [{n: 1}, {n: 2}, {n: 3}, {n: 4}]}, name: one.json}
    published: {topic: thing.v1, has: {all: [1, 4], c: {dead: 1, dropped: 1, missing: 0, reason: group}}}
    dead: {code: jq.error}
    dropped: {step: filter:.n != 2}
"""),
    "refused": ("""
  - map: {jq: 'if .n == 3 then error("no") else . end'}
  - collect: {by: group}
""", """
  - test: a partial group is refused
    input: {json: {lines: [{n: 1}, {n: 3}]}, name: one.json}
    published: []
    dead: [{code: jq.error}, {code: collect.partial}]
"""),
    "ordered": ("""
  - resequence: {number: .n, within: 1m, gap: pass}
""", """
  - test: in order, a gap is passed over in the end, and the same again is dropped
    input: {json: {lines: [{n: 2}, {n: 1}, {n: 2}, {n: 4}]}, name: one.json}
    published:
      - {topic: thing.v1, has: {n: 1}}
      - {topic: thing.v1, has: {n: 2}}
      - {topic: thing.v1, has: {n: 4}}
    dropped: {why: the same came before}
"""),
    "first": ("""
  - dedupe: .id
""", """
  - test: the first of each
    input: {json: {lines: [{id: a, n: 1}, {id: a, n: 1}, {id: a, n: 2}]}, name: one.json}
    published: {topic: thing.v1, has: {n: 1}}
    dropped: {why: the same came before}
    dead: {code: dedupe.conflict}
"""),
}


def run(site, name, steps, cases):
    site.flow(FLOW.replace("@NAME@", name).replace("@STEPS@", steps.replace("@PARTIAL@", "pass").strip("\n")))
    site.write(f"tests/{name}.yaml", f"flow: {name}\ncases:{cases}")


@test("collect, resequence and dedupe in tests")
def durable(site):
    for name, (steps, cases) in CASES.items():
        run(site, name, steps, cases)
    code, out, err = site.type("test")
    check(code == 0, out[-3000:], err[-1000:])


@test("what does not come out is told")
def differs(site):
    steps, cases = CASES["counted"]
    run(site, "counted", steps, cases.replace("[1, 3]", "[1, 4]"))
    code, out, err = site.type("test")
    check(code == 1 and "otherwise" in out + err, code, out, err)


main()
