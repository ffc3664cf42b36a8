"""How many pods each revision gets, and which weight."""
