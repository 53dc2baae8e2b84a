"""This project against what users do today, as ratios in one run."""
