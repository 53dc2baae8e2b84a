"""What encoders learn before there are labels to decode: one objective a file."""
