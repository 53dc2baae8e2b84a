"""FACED and SEED-V in their official formats, their splits, store and simulator."""
