"""The rollout: where it is, and where it goes next. Pure."""
