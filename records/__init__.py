"""The run directory as a contract, without torch: which files, who may write, what a result holds, how it is read."""
