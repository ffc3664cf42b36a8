"""One pass: observe, decide, carry out."""
