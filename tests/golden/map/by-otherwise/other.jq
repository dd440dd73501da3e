{other: .n}
