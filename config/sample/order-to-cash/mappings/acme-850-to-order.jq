# One X12 850 of ACME's, as `decode: x12` gives it → order/v1.
#
# Try it:  ferrule decode x12 input/acme/20260302-acme-0001.edi | ferrule map mappings/acme-850-to-order.jq
#
# A segment is a list: .[0] is its name, .[1] its first element. Amounts stay texts wherever they come in as texts; where something must be
# computed it is done in cents, because numbers in jq are doubles.

# "20260302" → "2026-03-02"
def date: "\(.[0:4])-\(.[4:6])-\(.[6:8])";

# Nothing instead of an empty text, so that `//` and `empty` work.
def filled: select(. != null and . != "");

# Cents, and back: 247200 → {"amount": "2472.00", "currency": "USD"}
def cents: tonumber * 100 | round;
def money($currency): {amount: "\(. / 100 | floor).\(. % 100 | tostring | if length < 2 then "0" + . else . end)", currency: $currency};

# The segments, cut where one of these names begins: loops({N1: true}). What stands before the first is left out.
def loops($names): reduce .[] as $s ([];
  if $names[$s[0]] then . + [[$s]]
  elif length > 0 then .[-1] += [$s]
  else . end);

# The first segment of a name in a list of segments; null where there is none.
def segment($name): [.[] | select(.[0] == $name)][0];

# PO1 names a product several times, in pairs from element 6 on: VP ours, BP theirs, SV the service that comes with it.
def product_ids: . as $po1 | [range(6; $po1 | length; 2) | {key: $po1[.], value: $po1[. + 1]}] | map(select(.key != "")) | from_entries;

# N1 with its N3 and N4 → a party of ACME's.
def party:
  segment("N1") as $n1 | segment("N3") as $n3 | segment("N4") as $n4
  | {id: $n1[4], system: "acme", name: $n1[2]}
  + (if $n4 then {address: {
      street: [$n3[1:][]? | filled], city: $n4[1], stateOrProvince: $n4[2], postcode: $n4[3], country: ($n4[4] // "US")}} else {} end);

# "GOLD-12M" → {"level": "gold", "term": "P12M"}
def service: split("-") | {level: (.[0] | ascii_downcase), term: "P\(.[1])"};

def line($currency):
  .[0] as $po1
  | ($po1 | product_ids) as $ids
  | segment("PID")[5] as $name
  | {
      id: $po1[1],
      product: ({id: $ids.VP, system: "erp"}
        + (if $name then {name: $name} else {} end)
        + (if $ids.BP then {externalReference: [{id: $ids.BP, system: "acme"}]} else {} end)),
      quantity: {amount: $po1[2], unit: $po1[3]},
      price: {amount: $po1[4], currency: $currency},
      total: (($po1[2] | tonumber) * ($po1[4] | cents) | round | money($currency))
    }
  + (if $ids.SV then {service: ($ids.SV | service)} else {} end);

.segments as $segments
| ([range($segments | length) | select($segments[.][0] == "PO1")][0] // ($segments | length)) as $first
| $segments[:$first] as $header
| ($header | segment("BEG")) as $beg
| ($header | segment("PER")) as $per
| ($header | segment("CUR")[2] // "USD") as $currency
| ($header | [loops({N1: true})[] | {key: .[0][1], value: party}] | from_entries) as $parties
| [$segments[$first:] | loops({PO1: true, CTT: true})[] | select(.[0][0] == "PO1") | line($currency)] as $lines
| {
    number: $beg[3],
    system: "acme",
    channel: "edi",
    orderDate: ($beg[5] | date),
    requestedDeliveryDate: [$header[] | select(.[0] == "DTM" and .[1] == "002") | .[2] | date][0],
    customer: $parties.BY,
    contact: (if $per then {name: $per[2], telephone: "+\($per[4])", email: ($per[6] // "" | ascii_downcase)} else null end),
    shipTo: $parties.ST,
    orderItem: $lines,
    total: ([$lines[].total.amount | cents] | add // 0 | money($currency)),
    note: [$header[] | select(.[0] == "MSG") | .[1]]
  }
| with_entries(select(.value != null and .value != []))
