"""Numbers with their null or interval: numpy and torch alone, no run, no file, no framework."""
