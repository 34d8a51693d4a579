"""Pictures of the bot's flows for the guides, drawn from what simulated Discord shows."""
