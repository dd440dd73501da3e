# Payments that were ordered, or what a bank says of them, of ISO 20022: pain.001 or pain.002, any version → a list of
# payment/v1.
#
#   - decode: {format: xml, names: local}
#   - map: pain-to-payments.jq
#   - split: .[]
#   - validate: payment/v1
#
# pain.001 is refused where its sum or its number of transactions is not what it says. A status of pain.002 becomes a
# payment where the bank repeats the amount (OrgnlTxRef); a report without amounts is refused, since nothing says what was
# to be paid.

def list: if type == "array" then . elif . == null then [] else [.] end;
def text: if type == "object" then .["#text"] elif type == "array" then (.[0] | text) else . end;
def present: with_entries(select(.value != null and .value != [] and .value != {}));
def code: if . == null then null else (.Cd? // .Prtry? // .) | text end;
def day: if . == null then null else (.Dt? // .DtTm? // .) | text | .[:10] end;
def places: text | if test("[.]") then (split(".")[1] | length) else 0 end;
def zeros($n): if $n > 0 then "0" * $n else "" end;
def units($scale): text | (capture("^(?<whole>[0-9]{1,15})([.](?<part>[0-9]{1,5}))?$") // error("`\(.)` is no amount"))
  | (.part // "") as $part | "\(.whole)\($part)\(zeros($scale - ($part | length)))" | tonumber;
def party: if . == null then null else (.Pty // .) | (.Nm | text) as $name
  | ([.Id? | .. | objects | .Id? // .AnyBIC? // .BICOrBEI? // .LEI? | select(type == "string")][0] // $name) as $id
  | if $id then {id: $id, system: "bank", name: $name} | present else null end end;
def account: if . == null then null else .Id | (.IBAN // .Othr.Id) | text end;
def remittance: [.RmtInf.Ustrd | list | .[] | text | select(.)] | join(" ") | if . == "" then null else . end;
def status: if . == "RJCT" then "failed" elif . == "ACSC" or . == "ACCC" then "settled" elif . == "CANC" then "returned" else "pending" end;

# ---- pain.001
def check_sums($said; $where): ([.[].Amt | (.InstdAmt // .EqvtAmt.Amt)]) as $amounts
  | (($amounts | map(places)) + [$said.CtrlSum // "0" | places] | max) as $scale
  | if $said.NbOfTxs != null and ($said.NbOfTxs | text | tonumber) != length then
      error("\($where): it says \($said.NbOfTxs | text) transactions, and has \(length)")
    elif $said.CtrlSum != null and ($said.CtrlSum | units($scale)) != ([$amounts[] | units($scale)] | add // 0) then
      error("\($where): the sum of its amounts is not \($said.CtrlSum | text)")
    else . end;
def ordered: . as $order
  | [$order.PmtInf | list | .[] | .CdtTrfTxInf | list | .[]] | check_sums($order.GrpHdr; "GrpHdr") | $order
  | [.PmtInf | list | .[] | . as $block | ([.CdtTrfTxInf | list | .[]] | check_sums($block; "PmtInf \($block.PmtInfId | text)"))[]
    | {
        id: ((.PmtId.InstrId // null) as $instruction
          | if .PmtId.EndToEndId and ((.PmtId.EndToEndId | text) != "NOTPROVIDED") then .PmtId.EndToEndId else $instruction // error("a transaction has no id") end | text),
        system: (($order.GrpHdr.InitgPty | party | .id?) // "us"),
        paymentDate: ($block.ReqdExctnDt | day),
        direction: "paid",
        totalAmount: (.Amt | (.InstdAmt // .EqvtAmt.Amt) | {amount: text, currency: .["@Ccy"]}),
        payer: ($block.Dbtr | party),
        payee: (.Cdtr | party),
        paymentMethod: (if ($block.PmtMtd | text) == "CHK" then "check" else "transfer" end),
        account: ($block.DbtrAcct | account),
        correlatorId: remittance,
        status: "pending"
      } | present];

# ---- pain.002
def reason: [.StsRsnInf | list | .[] | ((.AddtlInf | list | map(text) | join(" ") | if . == "" then null else . end) // (.Rsn | code)) | select(.)][0];
def reported: .GrpHdr as $header
  | [.OrgnlPmtInfAndSts | list | .[] | . as $block | .TxInfAndSts | list | .[]
    | (.OrgnlEndToEndId // .OrgnlInstrId | text) as $id
    | (.OrgnlTxRef.Amt.InstdAmt // .OrgnlTxRef.Amt.EqvtAmt.Amt
      // error("nothing says the amount of \($id): the bank does not repeat it (OrgnlTxRef)")) as $amount
    | {
        id: $id,
        system: (($header.InitgPty | party | .id?) // "us"),
        paymentDate: ((.OrgnlTxRef.ReqdExctnDt // .AccptncDtTm // $header.CreDtTm) | day),
        direction: "paid",
        totalAmount: ($amount | {amount: text, currency: .["@Ccy"]}),
        payer: (.OrgnlTxRef.Dbtr | party),
        payee: (.OrgnlTxRef.Cdtr | party),
        status: ((.TxSts // $block.PmtInfSts | text) | status),
        statusReason: (reason // ($block | reason))
      } | present]
  | if length == 0 then error("the report says nothing of single payments: look at the status of the group") else . end;

.Document | if .CstmrCdtTrfInitn then .CstmrCdtTrfInitn | ordered
  elif .CstmrPmtStsRpt then .CstmrPmtStsRpt | reported
  else error("this is no pain.001 or pain.002") end
