"""How many pods each revision gets, and which share of the traffic."""
