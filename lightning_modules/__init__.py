"""The base decoder and its optimisation."""
