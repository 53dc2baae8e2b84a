"""What an axis is worth: on rated texts, between models, removed or added."""
