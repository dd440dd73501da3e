{acme: .n}
