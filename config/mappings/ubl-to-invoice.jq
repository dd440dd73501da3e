# A UBL 2.1 Invoice or CreditNote (Peppol BIS Billing, XRechnung and kin) → invoice/v1.
#
#   - decode: {format: xml, names: local}
#   - map: ubl-to-invoice.jq
#   - validate: invoice/v1
#
# A CreditNote, and an Invoice of type 381 or 396, is a credit note; 384 is a correction. Amounts stay as they stand there: a
# CreditNote gives back what has no minus, an Invoice what has one.
# An invoice that does not add up is refused: the sum of the lines, allowances, charges, taxes in all, the totals without
# and with tax, what is to pay. What is not told is computed. Amounts are those of DocumentCurrencyCode.
#
# Parties: the id is PartyIdentification, else EndpointID, the company's number, that for VAT, or the name. Scheme 0088 is
# gs1, others are `iso6523:SCHEME`; what has no scheme is a number of the seller's. The numbers
# of the seller and the buyer have their id as system.
# Left out: payee, delivery, attachments, references of lines but to the order's, discounts within a price, item properties,
# taxes in another currency. From outside: nothing. To change it, copy it into the site's mappings/: a file of the site goes
# before one that ships.

# ---- decimals: texts in, texts out; counted in the smallest part that an amount has, since numbers in jq are doubles
def minor: {"JPY": 0, "KRW": 0, "CLP": 0, "VND": 0, "ISK": 0, "XAF": 0, "XOF": 0, "XPF": 0, "PYG": 0, "UGX": 0, "RWF": 0,
  "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3}[.] // 2;
def decimal: if type == "string" and test("^[-+]?([0-9]+([.][0-9]*)?|[.][0-9]+)$") then . else error("`\(.)` is no decimal number") end;
def places: (split(".")[1] // "") | length;
def digits: decimal | ltrimstr("+") | split(".") | join("") | tonumber;
def exact: if fabs > 9000000000000000 then error("an amount is too large to be counted exactly") else . end;
def scaled($from; $to): exact | if $from > $to then . / pow(10; $from - $to) | round else . * pow(10; $to - $from) | exact end;
def units($scale): places as $places | digits | scaled($places; $scale);
# A product, rounded to so many places.
def times($other; $scale): (places + ($other | places)) as $places | digits * ($other | digits) | scaled($places; $scale);
def amount($scale): (if . < 0 then "-" else "" end) as $sign | (fabs | tostring)
  | "0" * ([$scale + 1 - length, 0] | max) + . | if $scale > 0 then "\($sign)\(.[:-$scale]).\(.[-$scale:])" else "\($sign)\(.)" end;

# ---- parts
def present: with_entries(select(.value != null and .value != [] and .value != {} and .value != ""));
def list: if type == "array" then . elif . == null then [] else [.] end;
def object: if type == "array" then .[0] else . end | if type == "object" then . else {} end;
def text: if type == "object" then .["#text"] elif type == "array" then (.[0] | text) else . end
  | if type != "string" or . == "" then null
    elif .[:1] + .[-1:] | explode | any(. < 33) then gsub("^[ \r\n\t]+|[ \r\n\t]+$"; "") | if . == "" then null else . end else . end;
def category_of: [.ID | text | select(. == ("S", "Z", "E", "AE", "K", "G", "O", "L", "M"))][0];
def is_charge: .ChargeIndicator | text | . == "true" or . == "1";
def percent: .Percent | text;
def system($own): object | .["@schemeID"] as $scheme | if $scheme == null then $own elif $scheme == "0088" then "gs1" elif $scheme == "0060" then "duns" else "iso6523:\($scheme)" end;
def named: (.PartyName | object | .Name | text) // (.PartyLegalEntity | object | .RegistrationName | text);
def vat: [.PartyTaxScheme | list | .[] | select((.TaxScheme | object | .ID | text) != "TAX") | .CompanyID | text | select(.)][0];
def identified: [(.PartyIdentification | list | .[] | .ID), .EndpointID, (.PartyLegalEntity | object | .CompanyID), (.PartyTaxScheme | object | .CompanyID), named
  | select(text)][0];
def address: (.PostalAddress | object) | {
  street: [(.StreetName, .AdditionalStreetName, (.AddressLine | list | .[] | .Line)) | text | select(.)],
  city: (.CityName | text), stateOrProvince: (.CountrySubentity | text), postcode: (.PostalZone | text),
  country: (.Country | object | .IdentificationCode | text)
} | present;
def party($own): object | identified as $id | if $id == null then null else {
  id: ($id | text), system: ($id | system($own)), name: named, address: address,
  externalReference: [(vat | select(.) | {id: ., system: "vat"}), (.PartyLegalEntity | object | .CompanyID | text | select(.) | {id: ., system: "registration"})]
} | present end;
def same($told; $computed; $what; $scale): if $told == null or ($told | units($scale)) == $computed then . else
  error("\($what) is \($told) as the invoice says, and comes to \($computed | amount($scale))") end;

(.Invoice // .CreditNote // error("this is no Invoice or CreditNote of UBL: decode it with names: local")) as $invoice
| (.Invoice == null) as $credit
| ($invoice.DocumentCurrencyCode | text // error("the invoice says no currency")) as $currency
| def own: objects | select(.["@currencyID"] == $currency) | text; # an amount in the invoice's currency
([$invoice | (.LegalMonetaryTotal | object | .[]), ((.InvoiceLine // .CreditNoteLine) | list | .[] | .LineExtensionAmount), (.TaxTotal | list | .[] | .TaxAmount),
    (.AllowanceCharge | list | .[] | .Amount), (.TaxTotal | list | .[] | .TaxSubtotal | list | .[] | .TaxableAmount, .TaxAmount) | own | places] + [$currency | minor] | max) as $scale
| def money: {amount: amount($scale), currency: $currency};
def charges($indicator): [.AllowanceCharge | list | .[] | select(is_charge == $indicator) | .Amount | own | units($scale)] | add // 0;
($invoice.AccountingSupplierParty | object | .Party | object) as $supplier
| ($supplier | identified | text // error("nothing says the seller") | ascii_downcase) as $seller
| ($invoice.AccountingCustomerParty | object | .Party | object) as $customer
| ($customer | identified | text // "buyer" | ascii_downcase) as $buyer
| ($invoice.LegalMonetaryTotal | object) as $total
| [($invoice.InvoiceLine // $invoice.CreditNoteLine) | list | .[] | . as $line
  | ((.InvoicedQuantity // .CreditedQuantity // {"#text": "1"}) | if type == "string" then {"#text": .} else . end) as $quantity
  | (.Item | object) as $item | ($item.ClassifiedTaxCategory | object) as $tax | (.Price | object) as $price
  | (.LineExtensionAmount | text // error("line \(.ID | text) has no amount") | units($scale)) as $net
  | ($price.BaseQuantity | text // "1" | if test("[1-9]") then . else "1" end) as $basis
  | ($price.PriceAmount | text) as $each
  | ($item.SellersItemIdentification | object | .ID | text) as $own | ($item.BuyersItemIdentification | object | .ID | text) as $theirs
  | ($item.StandardItemIdentification | object | .ID | text) as $gs1
  | {
    id: (.ID | text),
    invoicedQuantity: {amount: ($quantity | text), unit: ($quantity["@unitCode"] // "C62")},
    lineExtensionAmount: ($net | money),
    item: ({
      id: ($own // $gs1 // $theirs // ($item.Name | text) // ($item.Description | text) // "unknown"),
      system: (if $own then $seller elif $gs1 then "gs1" elif $theirs then $buyer else $seller end),
      name: (($item.Name | text) // ($item.Description | text)),
      externalReference: [($theirs | select(. and ($own or $gs1)) | {id: ., system: $buyer}), ($gs1 | select(. and $own) | {id: ., system: "gs1"})]
    } | present),
    price: {amount: (if $each == null then $net | amount($scale) elif ($basis | tonumber) == 1 then $each | decimal
      else ($each | digits) / pow(10; $each | places) / ($basis | tonumber) * pow(10; 8) | round | amount(8) | sub("0{1,6}$"; "") end), currency: $currency},
    allowance: (charges(false) | if . != 0 then money else null end),
    charge: (charges(true) | if . != 0 then money else null end),
    taxCategory: ($tax | category_of), percent: ($tax | percent),
    orderLine: (.OrderLineReference | object | .LineID | text),
    period: (.InvoicePeriod | object | {startDate: (.StartDate | text), endDate: (.EndDate | text)} | present | if .startDate then . else null end)
  } | present] as $lines
| if $lines == [] then error("the invoice has no line") else . end
| ([$lines[].lineExtensionAmount.amount | units($scale)] | add) as $net
| same($total.LineExtensionAmount | text; $net; "the sum of the lines"; $scale)
| ($invoice | charges(false)) as $allowances | ($invoice | charges(true)) as $charges
| same($total.AllowanceTotalAmount | text; $allowances; "the sum of allowances"; $scale)
| same($total.ChargeTotalAmount | text; $charges; "the sum of charges"; $scale)
| ($net - $allowances + $charges) as $exclusive
| same($total.TaxExclusiveAmount | text; $exclusive; "the total without tax"; $scale)
| [$invoice.TaxTotal | list | .[] | select(.TaxAmount | own)] as $told
| [$told[] | .TaxSubtotal | list | .[] | (.TaxCategory | object) as $category | {
    taxableAmount: (.TaxableAmount | text // ($exclusive | amount($scale)) | units($scale) | money),
    taxAmount: (.TaxAmount | text | units($scale) | money),
    taxCategory: ($category | category_of // "S"),
    percent: (($category | percent) // percent),
    exemptionReason: (($category.TaxExemptionReason | text) // ($category.TaxExemptionReasonCode | text))
  } | present] as $rates
| ([$told[].TaxAmount | own | units($scale)] | add) as $stated
| (if $rates == [] and ($stated // 0) != 0 then [{taxableAmount: ($exclusive | money), taxAmount: ($stated | money), taxCategory: "S"}] else $rates end) as $taxes
| ([$taxes[].taxAmount.amount | units($scale)] | add // 0) as $tax
| same($stated | if . then amount($scale) else null end; $tax; "the tax in all"; $scale)
| ($exclusive + $tax) as $inclusive
| same($total.TaxInclusiveAmount | text; $inclusive; "the total with tax"; $scale)
| ($total.PrepaidAmount | text) as $prepaid | ($total.PayableRoundingAmount | text) as $rounding
| ($inclusive - ($prepaid // "0" | units($scale)) + ($rounding // "0" | units($scale))) as $payable
| same($total.PayableAmount | text; $payable; "what is to pay"; $scale)
| ($invoice.PaymentMeans | object) as $means | ($means.PayeeFinancialAccount | object | .ID | text) as $account
| ($account // "" | gsub(" "; "") | test("^[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}$")) as $iban
| ($invoice.InvoiceTypeCode // $invoice.CreditNoteTypeCode | text) as $type
| {
    number: ($invoice.ID | text),
    system: $seller,
    invoiceType: (if $credit or $type == "381" or $type == "396" then "credit-note" elif $type == "384" then "correction" else "invoice" end),
    issueDate: ($invoice.IssueDate | text),
    dueDate: (($invoice.DueDate | text) // ($means.PaymentDueDate | text)),
    taxPointDate: ($invoice.TaxPointDate | text),
    documentCurrency: $currency,
    orderReference: ($invoice.OrderReference | object | .ID | text | if . then {id: ., system: $buyer} else null end),
    contractReference: ($invoice.ContractDocumentReference | object | .ID | text | if . then {id: ., system: $seller} else null end),
    billingReference: ($invoice.BillingReference | object | .InvoiceDocumentReference | object | .ID | text | if . then {id: ., system: $seller} else null end),
    supplier: ($supplier | party($seller)),
    customer: ($customer | party($seller) // error("nothing says the customer")),
    contact: ($supplier.Contact | object | {name: (.Name | text), telephone: (.Telephone | text), email: (.ElectronicMail | text)} | present),
    paymentTerms: ($invoice.PaymentTerms | object | .Note | text),
    paymentMeans: ({
      method: ({"30": "transfer", "31": "transfer", "42": "transfer", "58": "transfer", "49": "direct-debit", "59": "direct-debit", "48": "card", "54": "card", "55": "card", "20": "check"}
        [$means.PaymentMeansCode | text // ""]),
      iban: (if $iban then $account | gsub(" "; "") else null end), account: (if $iban then null else $account end), reference: ($means.PaymentID | text)
    } | present),
    invoiceLine: $lines,
    allowanceCharge: [$invoice.AllowanceCharge | list | .[] | (.TaxCategory | object) as $tax | {
      chargeIndicator: is_charge, amount: (.Amount | text | units($scale) | money),
      reasonCode: (.AllowanceChargeReasonCode | text), reason: (.AllowanceChargeReason | text), percent: (.MultiplierFactorNumeric | text),
      taxCategory: ($tax | category_of), taxPercent: ($tax | percent)
    } | present],
    taxTotal: $taxes,
    legalMonetaryTotal: ({
      lineExtensionAmount: ($net | money),
      allowanceTotalAmount: (if $allowances != 0 then $allowances | money else null end),
      chargeTotalAmount: (if $charges != 0 then $charges | money else null end),
      taxExclusiveAmount: ($exclusive | money),
      taxInclusiveAmount: ($inclusive | money),
      prepaidAmount: (if $prepaid then $prepaid | units($scale) | money else null end),
      payableRoundingAmount: (if $rounding then $rounding | units($scale) | money else null end),
      payableAmount: ($payable | money)
    } | present),
    note: [$invoice.Note | list | .[] | text | select(.)],
    externalReference: [($invoice.BuyerReference | text | select(.) | {id: ., system: "buyer-reference"}),
      ($invoice.DespatchDocumentReference | list | .[] | .ID | text | select(.) | {id: ., system: "despatch-advice"})]
  } | present
