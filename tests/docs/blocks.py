"""The fenced blocks of a guide, in order, and what the comments between them ask for. See run.py for the conventions."""
import re

FENCE = re.compile(r"^( *)(```+|~~~+) *(\S*) *(.*?) *$")
COMMENT = re.compile(r"^ *<!-- *(site|docs): *(.*?) *-->$")


class Block:
    """kind: the fence's first word, or `site` for a comment that asks for a new site; rest: what stands behind it."""

    def __init__(self, kind, rest, line):
        self.kind, self.rest, self.line = kind, rest, line
        self.lines, self.first, self.last = [], line, line  # first and last: of the text, counted from 0 in the file
        self.indent = 0
        self.skip = None

    def text(self):
        return "".join(line + "\n" for line in self.lines)


class BadGuide(Exception):
    pass


def read(path):
    """Every block of a file. BadGuide: a fence without an end, a comment that nobody understands."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    blocks, at, skip = [], 0, None
    while at < len(lines):
        comment, fence = COMMENT.match(lines[at]), FENCE.match(lines[at])
        if comment and comment.group(1) == "site":
            blocks.append(Block("site", comment.group(2), at + 1))
        elif comment:
            reason = re.match(r"skip: *(\S.*)$", comment.group(2))
            if not reason:
                raise BadGuide(f"{path}:{at + 1}: it is <!-- docs: skip: REASON -->")
            skip = reason.group(1)
        elif fence:
            block, at = read_block(path, lines, at, fence)
            block.skip, skip = skip, None
            blocks.append(block)
        at += 1
    return blocks


def read_block(path, lines, at, fence):
    block = Block(fence.group(3), fence.group(4), at + 1)
    block.indent = len(fence.group(1))
    block.first = at + 1
    for end in range(at + 1, len(lines)):
        if lines[end].strip() == fence.group(2):
            block.last = end
            return block, end
        line = lines[end]
        block.lines.append(line[block.indent:] if not line[:block.indent].strip() else line)
    raise BadGuide(f"{path}:{at + 1}: the block has no end")


class Command:
    """What is typed, and what must come of it."""

    def __init__(self, typed, line):
        self.typed, self.line, self.wanted, self.code = typed, line, [], 0


def commands(block):
    """The commands of a console block: `$ ` begins one, `> ` goes on with it, `[N]` at the end is its exit code."""
    found = []
    for offset, line in enumerate(block.lines):
        if line.startswith("$ "):
            found.append(Command(line[2:], block.first + offset + 1))
        elif not found:
            raise BadGuide(f"line {block.first + offset + 1}: a console block begins with `$ command`")
        elif line[:2] == "> " and not found[-1].wanted or line == ">" and not found[-1].wanted:
            found[-1].typed += "\n" + line[2:]
        else:
            found[-1].wanted.append(line.rstrip())
    for command in found:
        while command.wanted and not command.wanted[-1]:
            command.wanted.pop()
        code = re.fullmatch(r"\[(\d+)\]", command.wanted[-1]) if command.wanted else None
        if code:
            command.code = int(code.group(1))
            command.wanted.pop()
    return found


def fits(wanted, said):
    """Do the lines that were said fit those that are wanted? `...` alone stands for any lines, within a line for any text."""
    pattern = ""
    for line in wanted:
        if line.strip() == "...":
            pattern += r"(?:[^\n]*\n)*?"
        else:
            pattern += r"[^\n]*?".join(re.escape(part) for part in line.split("...")) + "\n"
    return re.fullmatch(pattern, "".join(line.rstrip() + "\n" for line in said)) is not None


# ---- YAML: whole documents and parts of them ---------------------------------------------------------------------
SITE_KEYS = {"name", "queue", "store", "listen", "data", "vault", "run", "secrets", "retention", "limits", "processes"}
ENDS = ("from", "subscribe", "publish", "to")


def keys_of(text):
    return re.findall(r"^([A-Za-z][\w.-]*):", text, re.M)


def what_is(text):
    """site, system, flow, or other: what such a document is read as; a part of a flow or of site.yaml counts as one."""
    keys = keys_of(text)
    if re.match(r"\s*(#.*\n\s*)*- ", text):
        return "flow"
    if not keys:
        return "other"
    if keys[0] in ("flow", "system", "snippet", "transfer", "calendar"):
        return keys[0]
    if keys[0] in SITE_KEYS and keys[0] != "run":
        return "site"
    return "flow" if set(keys) & {"from", "to", "subscribe", "publish", "steps", "duplicates", "order", "effect", "retry", "expect",
                                  "on-reject", "runbook", "env"} else "other"


def whole_flow(text):
    """A flow of it, where it is a part of one: a list of steps, `from:` alone, …"""
    if not keys_of(text):
        text = "steps:\n" + "".join("  " + line + "\n" for line in text.splitlines())
    keys = keys_of(text)
    head = "" if "flow" in keys else "flow: example\n"
    head += "" if "owner" in keys else "owner: docs\n"
    if not {"from", "subscribe"} & set(keys):
        head += "from: {file: 'in/*.json'}\n" if "duplicates" in keys else "subscribe: example.in.v1\n"
    if {"effect", "retry"} & set(keys) and "to" not in keys:
        head += ("to: {webhook: 'https://target.example/'}\n" if "rename" not in text else "to: {file: 'out/$(.number).json'}\n")
        keys.append("to")
    if not {"publish", "to"} & set(keys) and not re.search(r"\bpublish:", text.split("on-reject:")[0]):
        head += "publish: example.out.v1\n"
    if "to" in keys and "effect" not in keys:
        head += "effect: rename\n" if re.search(r"^to:\s*(\{|\n\s+)file:", text, re.M) else "effect: none\n"
    return head + text


def topics(text):
    """(subscribed, published) of a flow's text."""
    said = re.findall(r"^subscribe: *(.*(?:\n +- .*)*)", text, re.M)
    into = set(re.findall(r"[\w.-]+\.v\d+", " ".join(said))) | set(re.findall(r"\bevent: *([\w.-]+\.v\d+)", text))
    return into, set(re.findall(r"[\w.-]+\.v\d+", " ".join(re.findall(r"\bpublish: *[\"']?([\w.-]+)", text))))
