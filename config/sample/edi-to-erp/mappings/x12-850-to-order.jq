# An X12 850 as most partners write it, as `decode: x12` gives it → order/v1.
#
# Try it:  ferrule decode x12 input/acme-0001.edi | ferrule map mappings/x12-850-to-order.jq
#
# A segment is a list: .[0] is its name, .[1] its first element. docs/mappings.md explains it step by step.

# "20260302" → "2026-03-02"
def date: "\(.[0:4])-\(.[4:6])-\(.[6:8])";
# Amounts are texts; what must be computed is done in cents, because numbers in jq are doubles.
def cents: tonumber * 100 | round;
def money($currency): {amount: "\(. / 100 | floor).\(. % 100 | tostring | if length < 2 then "0" + . else . end)", currency: $currency};
def segment($name): [.[] | select(.[0] == $name)][0];
# PO1 names a product in pairs from element 6 on: VP ours, BP theirs.
def ids: . as $po1 | [range(6; $po1 | length; 2) | {key: $po1[.], value: $po1[. + 1]}] | from_entries;
# "ZZ:ACME" → "acme"
def partner: . as $sender | $sender | split(":") | last | ascii_downcase;

.segments as $segments
| (.interchange.sender | partner) as $partner
| ($segments | segment("BEG")) as $beg
| ($segments | segment("CUR")[2] // "USD") as $currency
| ([$segments[] | select(.[0] == "N1" and .[1] == "BY")][0]) as $buyer
| [$segments[] | select(.[0] == "PO1") | {
    id: .[1],
    product: ({id: ids.VP, system: "erp"} + (if ids.BP then {externalReference: [{id: ids.BP, system: $partner}]} else {} end)),
    quantity: {amount: .[2], unit: .[3]},
    price: {amount: .[4], currency: $currency},
    total: ((.[2] | tonumber) * (.[4] | cents) | round | money($currency))
  }] as $lines
| {
    number: $beg[3],
    system: $partner,
    channel: "edi",
    orderDate: ($beg[5] | date),
    customer: {id: $buyer[4], system: $partner, name: $buyer[2]},
    orderItem: $lines,
    total: ([$lines[].total.amount | cents] | add // 0 | money($currency))
  }
