{order: .Order, head: $envelope.xml.header}
