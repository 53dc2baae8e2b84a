"""How a simulated cohort is made: what is planted, the signal, and the files of each official layout."""
