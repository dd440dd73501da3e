# invoice/v1 → UBL 2.1 Invoice, or CreditNote for a credit note.
#
#   - map: invoice-to-ubl.jq
#   - encode: xml
#
# Elements stand in the order of UBL's schemas. A correction is an Invoice of type 384. An amount of a credit note that has
# no minus gives money back, as in UBL.
#
# From outside, where they are asked for: what a profile wants, as `extension.ubl` of the invoice:
# `{"customizationID": "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0", "profileID": "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"}`,
# and `taxScheme`, VAT without it. A step in front gives them: `map: {jq: '.extension.ubl.profileID = "…"'}`.
#
# Parties: numbers of gs1 have scheme 0088, of duns 0060, of `iso6523:SCHEME` that one, and are the EndpointID as well; others
# have no scheme. externalReference of a party: `vat` and `registration` are its numbers for tax and law.
# Lost: payer, what systems are called that have no scheme, other externalReferences than despatch-advice and
# buyer-reference, extension. Otherwise ubl-to-invoice.jq makes the same invoice of it again.
# To change it, copy it into the site's mappings/: a file of the site goes before one that ships.

def present: with_entries(select(.value != null and .value != [] and .value != {} and .value != ""));
def minor: {"JPY": 0, "KRW": 0, "CLP": 0, "VND": 0, "ISK": 0, "XAF": 0, "XOF": 0, "XPF": 0, "PYG": 0, "UGX": 0, "RWF": 0,
  "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3}[.] // 2;
def places: (split(".")[1] // "") | length;
def units($scale): places as $places | split(".") | join("") | tonumber * pow(10; $scale - $places);
def amount($scale): (if . < 0 then "-" else "" end) as $sign | (fabs | tostring)
  | "0" * ([$scale + 1 - length, 0] | max) + . | if $scale > 0 then "\($sign)\(.[:-$scale]).\(.[-$scale:])" else "\($sign)\(.)" end;
# Whose number is it? The buyer's only where its system is the buyer's, or the order's.
def whose($invoice): if .system == "gs1" then "gs1" elif .system == $invoice.system then "seller"
  elif .system == $invoice.customer.system or .system == $invoice.orderReference.system? then "buyer" else "seller" end;

. as $invoice
| (.invoiceType == "credit-note") as $credit
| .documentCurrency as $currency
| (.extension.ubl? // {}) as $ubl
| {"cbc:ID": ($ubl.taxScheme // "VAT")} as $scheme
| def amt: if . == null then null else {"@currencyID": .currency, "#text": .amount} end;
def coded: (.system | if . == "gs1" then "0088" elif . == "duns" then "0060" else (capture("^iso6523:(?<scheme>.+)$")? // {scheme: null}).scheme end) as $with
  | if $with then {"@schemeID": $with, "#text": .id} else .id end;
def reference: if . == null then null else {"cbc:ID": .id} end;
def category($category; $percent; $reason): if $category == null and $percent == null then null else
  {"cbc:ID": ($category // (if $percent | test("[1-9]") then "S" else "Z" end)), "cbc:Percent": $percent, "cbc:TaxExemptionReason": $reason, "cac:TaxScheme": $scheme} | present end;
def number($system): [.externalReference[]? | select(.system == $system) | .id][0];
def party($contact): . as $party | coded as $coded | (number("registration")) as $registration | {
  "cac:Party": ({
    "cbc:EndpointID": (if $coded | type == "object" then $coded else null end),
    "cac:PartyIdentification": (if .id == .name or .id == $registration then null else {"cbc:ID": $coded} end),
    "cac:PartyName": (.name | if . then {"cbc:Name": .} else null end),
    "cac:PostalAddress": (.address // {} | {
      "cbc:StreetName": .street[0]?, "cbc:AdditionalStreetName": .street[1]?, "cbc:CityName": .city, "cbc:PostalZone": .postcode,
      "cbc:CountrySubentity": .stateOrProvince, "cac:AddressLine": [.street[2:][]? | {"cbc:Line": .}],
      "cac:Country": (.country | if . then {"cbc:IdentificationCode": .} else null end)} | present),
    "cac:PartyTaxScheme": (number("vat") | if . then {"cbc:CompanyID": ., "cac:TaxScheme": $scheme} else null end),
    "cac:PartyLegalEntity": ({"cbc:RegistrationName": .name, "cbc:CompanyID": (if $registration and $registration == .id then $coded else $registration end)} | present),
    "cac:Contact": ($contact // {} | {"cbc:Name": .name, "cbc:Telephone": .telephone, "cbc:ElectronicMail": .email} | present)
  } | present)};
# What is taken off or added for the whole invoice, where it does not say so itself.
def total($charge): [.allowanceCharge[]? | select(.chargeIndicator == $charge) | .amount.amount] as $parts | if $parts == [] then null else
  ([$parts[] | places] + [$currency | minor] | max) as $scale | {"@currencyID": $currency, "#text": ([$parts[] | units($scale)] | add | amount($scale))} end;
def allowance($charge): if . == null then empty else {"cbc:ChargeIndicator": "\($charge)", "cbc:AllowanceChargeReason": (if $charge then "Charge" else "Discount" end), "cbc:Amount": amt} end;
def line: . as $line | .item as $item | [{id: $item.id, system: $item.system}, $item.externalReference[]?] as $numbers
  | ([$numbers[] | select(.system == "gs1") | .id][0]) as $gs1
  | ([$numbers[] | select(whose($invoice) == "seller") | .id][0]) as $own
  | ([$numbers[] | select(whose($invoice) == "buyer") | .id][0]) as $theirs
  | {
    "cbc:ID": .id,
    (if $credit then "cbc:CreditedQuantity" else "cbc:InvoicedQuantity" end): {"@unitCode": .invoicedQuantity.unit, "#text": .invoicedQuantity.amount},
    "cbc:LineExtensionAmount": (.lineExtensionAmount | amt),
    "cac:InvoicePeriod": (.period // {} | {"cbc:StartDate": .startDate, "cbc:EndDate": .endDate} | present),
    "cac:OrderLineReference": (.orderLine | if . then {"cbc:LineID": .} else null end),
    "cac:AllowanceCharge": [(.allowance | allowance(false)), (.charge | allowance(true))],
    "cac:Item": ({
      "cbc:Name": ($item.name // $item.id),
      "cac:BuyersItemIdentification": ($theirs | if . then {"cbc:ID": .} else null end),
      "cac:SellersItemIdentification": ($own | if . then {"cbc:ID": .} else null end),
      "cac:StandardItemIdentification": ($gs1 | if . then {"cbc:ID": {"@schemeID": "0160", "#text": .}} else null end),
      "cac:ClassifiedTaxCategory": category(.taxCategory; .percent; null)
    } | present),
    "cac:Price": {"cbc:PriceAmount": (.price | amt)}
  } | present;

if [.legalMonetaryTotal[], (.invoiceLine[] | .lineExtensionAmount, .price), .taxTotal[]?.taxAmount] | all(.currency == $currency) then . else
  error("an amount is in another currency than \($currency)") end
| (.paymentMeans // {}) as $means
| (if $credit then .dueDate else null end) as $due
| (if $means != {} or $due then {
    "cbc:PaymentMeansCode": ({"transfer": "30", "direct-debit": "49", "card": "48", "check": "20"}[$means.method // ""] // "1"),
    "cbc:PaymentDueDate": $due, "cbc:PaymentID": $means.reference,
    "cac:PayeeFinancialAccount": (($means.iban // $means.account) | if . then {"cbc:ID": .} else null end)
  } | present else null end) as $payment
| (if $credit then "CreditNote" else "Invoice" end) as $root
| {($root): ({
    "@xmlns": "urn:oasis:names:specification:ubl:schema:xsd:\($root)-2",
    "@xmlns:cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "@xmlns:cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
    "cbc:UBLVersionID": "2.1",
    "cbc:CustomizationID": $ubl.customizationID,
    "cbc:ProfileID": $ubl.profileID,
    "cbc:ID": .number,
    "cbc:IssueDate": .issueDate
  }
  + (if $credit then {"cbc:TaxPointDate": .taxPointDate, "cbc:CreditNoteTypeCode": "381", "cbc:Note": .note}
     else {"cbc:DueDate": .dueDate, "cbc:InvoiceTypeCode": (if .invoiceType == "correction" then "384" else "380" end), "cbc:Note": .note, "cbc:TaxPointDate": .taxPointDate} end)
  + {
    "cbc:DocumentCurrencyCode": $currency,
    "cbc:BuyerReference": number("buyer-reference"),
    "cac:OrderReference": (.orderReference | reference),
    "cac:BillingReference": (.billingReference | if . then {"cac:InvoiceDocumentReference": reference} else null end),
    "cac:DespatchDocumentReference": [.externalReference[]? | select(.system == "despatch-advice") | reference],
    "cac:ContractDocumentReference": (.contractReference | reference),
    "cac:AccountingSupplierParty": (.supplier | party($invoice.contact)),
    "cac:AccountingCustomerParty": (.customer | party(null)),
    "cac:PaymentMeans": $payment,
    "cac:PaymentTerms": (.paymentTerms | if . then {"cbc:Note": .} else null end),
    "cac:AllowanceCharge": [.allowanceCharge[]? | {
      "cbc:ChargeIndicator": "\(.chargeIndicator)", "cbc:AllowanceChargeReasonCode": .reasonCode, "cbc:AllowanceChargeReason": .reason,
      "cbc:MultiplierFactorNumeric": .percent, "cbc:Amount": (.amount | amt), "cac:TaxCategory": category(.taxCategory; .taxPercent; null)} | present],
    "cac:TaxTotal": (if (.taxTotal // []) == [] then null else
      ([.taxTotal[].taxAmount.amount | places] + [$currency | minor] | max) as $scale | {
        "cbc:TaxAmount": {"@currencyID": $currency, "#text": ([.taxTotal[].taxAmount.amount | units($scale)] | add | amount($scale))},
        "cac:TaxSubtotal": [.taxTotal[] | {"cbc:TaxableAmount": (.taxableAmount | amt), "cbc:TaxAmount": (.taxAmount | amt), "cac:TaxCategory": category(.taxCategory; .percent; .exemptionReason)}]
      } end),
    "cac:LegalMonetaryTotal": (.legalMonetaryTotal | {
      "cbc:LineExtensionAmount": (.lineExtensionAmount | amt), "cbc:TaxExclusiveAmount": (.taxExclusiveAmount | amt),
      "cbc:TaxInclusiveAmount": (.taxInclusiveAmount | amt), "cbc:AllowanceTotalAmount": ((.allowanceTotalAmount | amt) // ($invoice | total(false))),
      "cbc:ChargeTotalAmount": ((.chargeTotalAmount | amt) // ($invoice | total(true))), "cbc:PrepaidAmount": (.prepaidAmount | amt),
      "cbc:PayableRoundingAmount": (.payableRoundingAmount | amt), "cbc:PayableAmount": (.payableAmount | amt)} | present),
    "cac:\($root)Line": [.invoiceLine[] | line]
  } | present)}
