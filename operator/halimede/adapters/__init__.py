"""The outside world, each library behind one adapter that raises only our errors."""
