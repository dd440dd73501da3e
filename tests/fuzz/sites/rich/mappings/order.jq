# An order
def line($n): {id: .id, sku: (.sku // "none"), row: $n};
. as $order
| {number: .number, total: ("\(.total)" | ltrimstr("+")),
   lines: [.lines | to_entries[] | .key as $n | .value | line($n + 1)]}
