"""From texts to an axis by way of a language model; the one room that knows transformers."""
