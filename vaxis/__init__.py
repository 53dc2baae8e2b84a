"""The valence axis of language models: sentences, read-out, artifact, and how far features follow it."""
