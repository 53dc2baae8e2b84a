"""What is measured while a decoder trains: one idea a file."""
