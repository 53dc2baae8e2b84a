"""How every command of the project reads its flags, ends with one line, and is found: standard library alone."""
