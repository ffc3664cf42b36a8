"""The judge: counters in, a verdict with its evidence out. Pure."""
