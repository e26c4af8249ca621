"""The command line: one frozen dataclass a command, its flags the fields."""
