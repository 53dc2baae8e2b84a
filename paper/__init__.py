"""The experiments of arXiv 2606.00129 as commands."""
