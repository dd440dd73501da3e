"""The flows of the site that the crash tests run; lab.py says what each must do."""
RETRY = "retry: {for: 1h, from: 20ms, to: 200ms}"

FLOWS = {
    "intake": """
from: {file: 'drop/in/*.json', after: archive, age: 0s, interval: 100ms}
duplicates: {by: content, within: 30d}
steps:
  - decode: json
  - split: {by: '.items[]', id: [.n]}
  - validate: {contract: thing/v1, keys: [.n]}
publish: thing.received.v1
""",
    "brief": """
from: {file: 'drop/brief/*.json', after: delete, age: 0s, interval: 100ms}
duplicates: {by: content, within: 30d}
steps:
  - decode: json
  - split: {by: '.items[]', id: [.n]}
  - validate: {contract: thing/v1, keys: [.n]}
publish: thing.received.v1
""",
    "hook": """
from: {webhook: /things, verify: none}
steps:
  - decode: json
  - validate: {contract: thing/v1, keys: [.n]}
publish: thing.received.v1
""",
    "spoiled": """
from: {file: 'drop/spoiled/*.json', after: archive, to: '@ARCHIVE@', age: 0s, interval: 100ms}
steps: [{decode: json}]
publish: thing.received.v1
""",
    "to-files": """
subscribe: thing.received.v1
steps: [{encode: json}]
to: {file: 'drop/out/$(.n).json', exists: refuse, create: yes}
effect: rename
""" + RETRY,
    "to-keyed": """
subscribe: thing.received.v1
steps: [{encode: json}]
to: {operation: keyed.put}
effect: {key: 'keyed-$(.n)', remembers: 24h}
""" + RETRY,
    "to-ordered": """
subscribe: thing.received.v1
order: {by: .k, on-reject: hold}
steps: [{encode: json}]
to: {operation: ordered.put}
effect: {key: 'ordered-$(.n)', remembers: 24h}
""" + RETRY,
    "to-plain": """
subscribe: thing.received.v1
steps: [{encode: json}]
to: {operation: plain.put}
effect: none
""" + RETRY,
    "to-collected": """
subscribe: thing.received.v1
steps:
  - dedupe: .n
  - collect: {by: .k, count: 3, within: 1s}
  - map: {jq: '{ids: ([.[].n | tostring] | join("-"))}'}
to: {operation: held.collected}
effect: {key: 'collected-$(.ids)', remembers: 24h}
""" + RETRY,
    "to-grouped": """
subscribe: thing.received.v1
steps:
  - filter: .text != "posted" and .n % 5 != 4
  - collect: {by: group}
  - map: {jq: '{first: .[0].n, last: .[-1].n, at: "\\(.[0].n)-\\(length)"}'}
to: {operation: held.grouped}
effect: {key: 'grouped-$(.first)-$(.last)', remembers: 24h}
""" + RETRY,
    "to-sequenced": """
subscribe: thing.received.v1
steps:
  - resequence: {by: .k, number: .s}
to: {operation: held.sequenced}
effect: {key: 'sequenced-$(.n)', remembers: 24h}
""" + RETRY,
}

SCHEMA = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A thing", "type": "object",
          "required": ["n", "k"],
          "properties": {"n": {"type": "integer"}, "k": {"type": "string"}, "text": {"type": "string"}}}

TARGETS = ("keyed", "ordered", "plain")
