"""The valence axis: fitted to what a language model reads in a few sentences, kept in one file, and put to the test."""
