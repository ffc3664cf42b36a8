"""The demo: real digits, real classifiers, a real rollout, every claim checked as it is shown."""
