{number, home: $ENV.HOME}
