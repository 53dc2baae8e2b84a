"""What all figures share: colours, and one map of the scalp."""
