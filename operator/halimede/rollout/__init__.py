"""The state machine of a rollout: facts and a status in, the next status out. Pure."""
