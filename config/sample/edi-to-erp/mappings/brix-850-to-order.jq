# BRIX's 850: our product number comes in IN, prices are in EUR and may be for a hundred (PE 100 in element 5), and the order number in REF*ON wins.
def date: "\(.[0:4])-\(.[4:6])-\(.[6:8])";
def cents: tonumber * 100 | round;
def money: {amount: "\(. / 100 | floor).\(. % 100 | tostring | if length < 2 then "0" + . else . end)", currency: "EUR"};
def ids: . as $po1 | [range(6; $po1 | length; 2) | {key: $po1[.], value: $po1[. + 1]}] | from_entries;

.segments as $segments
| ([$segments[] | select(.[0] == "BEG")][0]) as $beg
| [$segments[] | select(.[0] == "PO1")
   | (if .[5] == "HP" then 100 else 1 end) as $per
   | ((.[4] | cents) / $per) as $price
   | {
       id: .[1],
       product: {id: ids.IN, system: "erp"},
       quantity: {amount: .[2], unit: .[3]},
       price: ($price | round | money),
       total: ((.[2] | tonumber) * $price | round | money)
     }] as $lines
| {
    number: ([$segments[] | select(.[0] == "REF" and .[1] == "ON") | .[2]][0] // $beg[3]),
    system: "brix",
    channel: "edi",
    orderDate: ($beg[5] | date),
    customer: {id: "BRIX", system: "brix"},
    orderItem: $lines,
    total: ([$lines[].total.amount | cents] | add // 0 | money)
  }
