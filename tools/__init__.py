"""What the project is developed with; it is no part of the operator."""
