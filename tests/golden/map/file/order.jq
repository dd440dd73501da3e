# to the ERP
{order: .number,
 count: (.lines | length),
 from: $envelope.name, at: (now | todate)}
