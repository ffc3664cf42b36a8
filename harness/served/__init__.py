"""What runs inside Triton: the model that every version of the demo ships."""
