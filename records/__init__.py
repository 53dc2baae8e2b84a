"""The run directory as a contract, without torch: its files, who may write, what a result holds, how it is read."""
